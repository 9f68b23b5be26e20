/** Somebody in front of the app: what they see and do, by the names that a screen reader would say. */
import type { Locator, Page } from "playwright-core";

/** What the tests' types, which have no browser, know of an element. */
interface Labelled {
  getAttribute(name: "aria-label"): string | null;
}

export class Person {
  readonly name: string;
  readonly page: Page;
  /** What the page complained about. */
  readonly complaints: string[] = [];

  constructor({ name, page }: { name: string; page: Page }) {
    this.name = name;
    this.page = page;
    // Longer than the provider's longest pause between two attempts (30 s), which it comes to where the machine is slow and the server was away.
    page.setDefaultTimeout(45_000);
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) this.complaints.push(message.text());
    });
    page.on("pageerror", (error) => this.complaints.push(String(error)));
  }

  /** The same person once more in the same browser: another tab, where they log in again. */
  async secondTab(): Promise<Person> {
    const tab = new Person({ name: this.name, page: await this.page.context().newPage() });
    await tab.page.goto(new URL("/", this.page.url()).href);
    await tab.page.getByRole("button", { name: this.name }).click();
    return tab;
  }

  column(name: "To do" | "In progress" | "Done"): Locator {
    return this.page.getByRole("region", { name });
  }

  task(title: string | RegExp): Locator {
    return this.page.getByRole("listitem", { name: title, exact: true });
  }

  title(title: string | RegExp): Locator {
    return this.task(title).getByRole("textbox", { name: "Title" });
  }

  get status(): Locator {
    // Not the role of that name: that is what a screen reader says aloud, which is less.
    return this.page.locator(".status");
  }

  async open(board: string): Promise<void> {
    await this.page.getByRole("navigation", { name: "Boards" }).getByRole("button", { name: board }).click();
    await this.page.getByRole("heading", { level: 1, name: board }).waitFor();
  }

  async add(title: string, column: "To do" | "In progress" | "Done" = "To do"): Promise<void> {
    const field = this.page.getByRole("textbox", { name: `New task in ${column}` });
    await field.fill(title);
    await field.press("Enter");
    await this.task(title).waitFor();
  }

  /** Puts the cursor at the end of a title, and types. */
  async typeInto(title: string, text: string): Promise<void> {
    await this.title(title).click();
    await this.page.keyboard.press("End");
    await this.page.keyboard.type(text);
  }

  /** The titles of a column from top to bottom. */
  async titles(column: "To do" | "In progress" | "Done" = "To do"): Promise<(string | null)[]> {
    // In one step: for the name of one that is deleted in between, the browser would wait until the test is over.
    return this.column(column)
      .getByRole("listitem")
      .evaluateAll((tasks) => tasks.map((task) => (task as unknown as Labelled).getAttribute("aria-label")));
  }

  /** Waits for what the status says. */
  async sees(status: string | RegExp): Promise<void> {
    await this.status.filter({ hasText: status }).waitFor();
  }
}
