/** Two people in one board. */
import type { Locator } from "playwright-core";
import { expect, test } from "vitest";
import { TaskChanges } from "../../examples/frontend/src/board/tasks.ts";
import { startApp, useBrowser } from "../support/app.ts";
import { connect } from "../support/client.ts";
import type { Person } from "../support/person.ts";
import { until } from "../support/until.ts";

useBrowser();

test("[W2] what one does appears for the other: a new task, a title typed by both at once, done, moved, deleted", async () => {
  const app = await startApp();
  const [ana, ben] = [await app.person("Ana"), await app.person("Ben")];
  await ana.add("Plan");
  await ana.add("Ship");
  await ben.task("Ship").waitFor();

  await Promise.all([ana.typeInto("Plan", "aaaaa"), ben.typeInto("Plan", "bbbbb")]);
  const both = await until<string>("one title with all letters of both", async () => {
    const [mine, theirs] = [await firstTitle(ana), await firstTitle(ben)];
    return mine === theirs && /^Plan[ab]{10}$/.test(mine) ? mine : "";
  });

  await ben.task(both).getByRole("checkbox").check();
  await ana.column("Done").getByRole("listitem", { name: both, exact: true }).waitFor();
  await ana.task("Ship").getByRole("combobox", { name: "Assignee of Ship" }).selectOption("Ben");
  await ana.task("Ship").getByLabel("Due date of Ship").fill("2026-12-24");
  await ben.task("Ship").getByText("24 Dec").waitFor();
  expect(await ben.task("Ship").getByRole("combobox", { name: "Assignee of Ship" }).inputValue()).toBe("ben");

  await ben.task(both).hover();
  await ben.page.getByRole("button", { name: `Delete ${both}` }).click();
  await ana.task(both).waitFor({ state: "detached" });
  await Promise.all([ana.sees("Saved"), ben.sees("Saved")]);
});

test("[W2] tasks are put into another order and another column with the mouse, and with the keyboard alone", async () => {
  const app = await startApp();
  const [ana, ben] = [await app.person("Ana"), await app.person("Ben")];
  for (const title of ["One", "Two", "Three"]) await ana.add(title);
  await ben.task("Three").waitFor();

  await drag(ana, "Three", ana.page.getByRole("button", { name: "Move One" }));
  await until("Three first for Ben", async () => (await ben.titles()).join() === "Three,One,Two");

  // While a card still glides to its place no other is taken up.
  await ana.page.locator("[data-dnd-dropping]").waitFor({ state: "detached" });
  await ana.page.getByRole("button", { name: "Move Three" }).focus();
  await ana.page.keyboard.press("Enter");
  await ana.page.getByRole("button", { name: "Move Three", pressed: true }).waitFor();
  await ana.page.keyboard.press("ArrowDown");
  await until("Three below One for Ana", async () => (await ana.titles()).join() === "One,Three,Two");
  await ana.page.keyboard.press("Enter");
  await until("Three second for Ben", async () => (await ben.titles()).join() === "One,Three,Two");

  await ana.page.locator("[data-dnd-dropping]").waitFor({ state: "detached" });
  await drag(ana, "One", ana.column("Done"));
  await until("One done for Ben", async () => (await ben.titles("Done")).join() === "One");

  await ana.page.locator("[data-dnd-dropping]").waitFor({ state: "detached" });
  await drag(ana, "Three", ana.page.getByRole("button", { name: "Move One" }));
  await until("Three above One for Ben", async () => (await ben.titles("Done")).join() === "Three,One");
  await ana.page.locator("[data-dnd-dropping]").waitFor({ state: "detached" });
  await drag(ana, "Three", ana.page.getByRole("button", { name: "Move Two" }));
  await until("Three back above Two for Ben", async () => (await ben.titles()).join() === "Three,Two");

  await ben.page.getByRole("combobox", { name: "Column of Two" }).selectOption("In progress");
  await until("Two in progress for Ana", async () => (await ana.titles("In progress")).join() === "Two");
  await ana.sees("Saved");
  expect(ana.complaints).toEqual([]);
});

test("[W2] a task that is deleted by somebody while it is dragged is gone when it is let go, and the page goes on", async () => {
  const app = await startApp();
  const [ana, ben] = [await app.person("Ana"), await app.person("Ben")];
  for (const title of ["First", "Second", "Goes"]) await ana.add(title);
  await ben.task("Goes").waitFor();
  await pickUp(ana, "Goes");
  await glide(ana, ana.page.getByRole("button", { name: "Move Second" }));
  await until("Second makes room", async () => (await ana.titles()).join() === "First,Goes,Second");
  await ben.task("Goes").hover();
  await ben.page.getByRole("button", { name: "Delete Goes" }).click();
  await ben.add("After");
  await ben.sees("Saved");
  await glide(ana, ana.page.getByRole("button", { name: "Move First" }));
  await ana.page.mouse.up();
  await until("for Ana as for Ben", async () => (await ana.titles()).join() === "First,Second,After");
  // As long as the hand is closed, dnd-kit takes the cursor out of every field.
  const hand = () => ana.page.evaluate("getComputedStyle(document.body).cursor");
  await until("the hand to open", async () => (await hand()) !== "grabbing");
  await ana.add("Last");
  await ben.task("Last").waitFor();
  expect(ana.complaints).toEqual([]);
});

test("[W2] who is here is seen, with what they edit and where their cursor stands, and no more when they leave", async () => {
  const app = await startApp();
  const [ana, ben] = [await app.person("Ana"), await app.person("Ben")];
  await ana.add("Write the announcement");
  const here = ana.page.getByRole("list", { name: "Also here" });
  await here.getByText("Ben").waitFor();
  await ben.title("Write the announcement").click();
  await ana.task("Write the announcement").getByText("Ben is editing").waitFor();
  await ana.task("Write the announcement").locator(".cm-ySelectionInfo", { hasText: "Ben" }).waitFor();
  await ben.page.close();
  await here.getByText("Ben").waitFor({ state: "detached" });
  await ana.task("Write the announcement").getByText("Ben is editing").waitFor({ state: "detached" });
});

test("[W2] who comes back to a page that the browser has kept is seen again", async () => {
  const app = await startApp();
  const [ana, ben] = [await app.person("Ana"), await app.person("Ben")];
  const here = ana.page.getByRole("list", { name: "Also here" });
  await here.getByText("Ben").waitFor();
  await ben.page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }))");
  await here.getByText("Ben").waitFor({ state: "detached" });
  await ben.page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))");
  await here.getByText("Ben").waitFor();
});

test("[W2] a title stays one line, whatever is pasted into it", async () => {
  const app = await startApp();
  const [ana, ben] = [await app.person("Ana"), await app.person("Ben")];
  await ana.add("One");
  await ana.title("One").click();
  await ana.page.keyboard.press("End");
  await ana.page.keyboard.insertText(" two\nthree");
  await ana.page.keyboard.type(" four");
  await ben.task("One two three four").waitFor();
  for (const person of [ana, ben]) expect(await person.page.locator(".cm-line").count()).toBe(1);
});

test("[W2] what is typed into a title goes to its place, also where another program has put a line break into it", async () => {
  const app = await startApp();
  const token = await app.backend.login("ben");
  const url = `ws://127.0.0.1:${app.server.port}`;
  const program = await connect({ url, name: "task-list-1", token }).synced();
  const title = new TaskChanges(program.doc).add({ title: "one\r\ntwo", column: "todo", index: 0 });
  const ana = await app.person("Ana");
  await ana.page.getByRole("textbox", { name: "Title" }).click();
  await ana.page.keyboard.press("Control+End");
  await ana.page.keyboard.type("!");
  await until("Ana's letter", () => title.toJSON() === "one\r\ntwo!");
  title.insert(title.length, "?");
  await ana.page.getByText("two!?").waitFor();
  expect(ana.complaints).toEqual([]);
});

test("[W9] undo and redo are of one's own changes, whatever the other does in between", async () => {
  const app = await startApp();
  const [ana, ben] = [await app.person("Ana"), await app.person("Ben")];
  await ana.add("Mine");
  await ben.add("Theirs");
  await ana.task("Theirs").waitFor();
  await ana.page.getByRole("button", { name: "Undo" }).click();
  await ben.task("Mine").waitFor({ state: "detached" });
  expect(await ben.titles()).toEqual(["Theirs"]);
  expect(await ana.page.getByRole("button", { name: "Undo" }).isDisabled()).toBe(true);
  await ana.page.getByRole("button", { name: "Redo" }).click();
  await ben.task("Mine").waitFor();
});

test("[W2] whoever types goes on typing when somebody else moves the task, in its column or to another", async () => {
  const app = await startApp();
  const [ana, ben] = [await app.person("Ana"), await app.person("Ben")];
  for (const title of ["First", "Second"]) await ana.add(title);
  await ben.task("Second").waitFor();
  await ana.typeInto("First", " a");
  // What he drags stays as it is until he lets it go, names too.
  await ben.task("First a").waitFor();
  await drag(ben, "Second", ben.page.getByRole("button", { name: "Move First a" }));
  await until("Second above for Ana", async () => (await ana.titles()).join() === "Second,First a");
  await ana.page.keyboard.type("b");
  await ben.page.getByRole("combobox", { name: "Column of First ab" }).selectOption("In progress");
  await ana.column("In progress").getByRole("listitem", { name: "First ab" }).waitFor();
  await ana.page.keyboard.press("ArrowLeft");
  await ana.page.keyboard.type("c");
  await ben.task("First acb").waitFor();
  // Also while her window is behind another.
  await ana.page.evaluate("document.hasFocus = () => false");
  await ben.page.getByRole("combobox", { name: "Column of First acb" }).selectOption("Done");
  await ana.column("Done").getByRole("listitem", { name: "First acb" }).waitFor();
  await ana.page.keyboard.type("d");
  await ben.task("First acdb").waitFor();
});

test("[W2] a task that Enter has made has the cursor once: moved later, it does not take it from where somebody types", async () => {
  const app = await startApp();
  const [ana, ben] = [await app.person("Ana"), await app.person("Ben")];
  await ana.add("First");
  await ana.typeInto("First", "");
  await ana.page.keyboard.press("Enter");
  await ana.page.keyboard.type("Second");
  await ben.task("Second").waitFor();
  await ana.typeInto("First", " a");
  await ben.page.getByRole("combobox", { name: "Column of Second" }).selectOption("Done");
  await ana.column("Done").getByRole("listitem", { name: "Second" }).waitFor();
  await ana.page.keyboard.type("b");
  await ben.task("First ab").waitFor();
  await ana.task("Second").getByRole("checkbox").focus();
  await ana.page.keyboard.press("Space");
  await ana.column("To do").getByRole("listitem", { name: "Second" }).waitFor();
  expect(await ana.page.locator(":focus").getAttribute("aria-label")).toBe("Done: Second");
});

test("[W9] undo takes back no move of somebody else's, and redo brings back what they wrote into one's own task", async () => {
  const app = await startApp();
  const [ana, ben] = [await app.person("Ana"), await app.person("Ben")];
  await ana.add("Mine");
  await ben.typeInto("Mine", ", theirs");
  await ana.page.getByRole("combobox", { name: "Column of Mine, theirs" }).selectOption("In progress");
  await ben.column("In progress").getByRole("listitem", { name: "Mine, theirs" }).waitFor();
  await ben.page.getByRole("combobox", { name: "Column of Mine, theirs" }).selectOption("Done");
  await ana.column("Done").getByRole("listitem", { name: "Mine, theirs" }).waitFor();
  const [undo, redo] = ["Undo", "Redo"].map((name) => ana.page.getByRole("button", { name }));
  // The move first, which is no more there to be taken back, then the task.
  while (await undo?.isEnabled()) {
    await undo?.click();
    expect(await ana.titles("In progress")).toEqual([]);
    expect(await ana.titles()).toEqual([]);
  }
  await ben.task("Mine, theirs").waitFor({ state: "detached" });
  while (await redo?.isEnabled()) await redo?.click();
  await ben.task("Mine, theirs").waitFor();
});

test("[W2] tasks are put into another order with a finger, and a finger elsewhere on a task scrolls", async () => {
  const app = await startApp();
  const ana = await app.person("Ana", { viewport: { width: 375, height: 720 }, hasTouch: true });
  const ben = await app.person("Ben");
  for (const title of ["One", "Two", "Three"]) await ana.add(title);
  await ben.task("Three").waitFor();
  const finger = await startFinger(ana);
  await finger.down(ana.page.getByRole("button", { name: "Move Three" }));
  await ana.page.locator("[data-dnd-dragging]").waitFor();
  await finger.glide(ana.page.getByRole("button", { name: "Move One" }));
  await finger.up();
  await until("Three first for Ben", async () => (await ben.titles()).join() === "Three,One,Two");

  await ana.page.locator("[data-dnd-dropping]").waitFor({ state: "detached" });
  await finger.down(ana.task("Two"));
  await finger.glide(ana.page.getByRole("heading", { name: "Product launch" }));
  await finger.up();
  await until("scrolled", async () => ana.page.evaluate("scrollY > 0"));
  expect(await ana.titles()).toEqual(["Three", "One", "Two"]);
});

/** Playwright taps; what holds and drags comes from the browser's own input. */
async function startFinger({ page }: Person) {
  const browser = await page.context().newCDPSession(page);
  const at = { x: 0, y: 0 };
  const touch = (type: "touchStart" | "touchMove" | "touchEnd") =>
    browser.send("Input.dispatchTouchEvent", { type, touchPoints: type === "touchEnd" ? [] : [at] });
  const middleOf = async (target: Locator) => {
    const box = await target.boundingBox();
    if (!box) throw new Error("Not on the page");
    return { x: Math.round(box.x + box.width / 2), y: Math.round(box.y + box.height / 2) };
  };
  return {
    down: async (target: Locator) => {
      Object.assign(at, await middleOf(target));
      await touch("touchStart");
    },
    glide: async (target: Locator) => {
      const [from, to] = [{ ...at }, await middleOf(target)];
      for (let step = 1; step <= 10; step++) {
        at.x = from.x + ((to.x - from.x) * step) / 10;
        at.y = from.y + ((to.y - from.y) * step) / 10;
        await touch("touchMove");
      }
    },
    up: () => touch("touchEnd"),
  };
}

async function firstTitle(person: Person): Promise<string> {
  return (await person.titles())[0] ?? "";
}

/** By its handle, to the upper edge of something. */
async function drag(person: Person, title: string, target: Locator): Promise<void> {
  await pickUp(person, title);
  await glide(person, target);
  await person.page.mouse.up();
}

async function glide({ page }: Person, target: Locator): Promise<void> {
  const to = await target.boundingBox();
  if (!to) throw new Error("Not on the page");
  await page.mouse.move(to.x + 5, to.y, { steps: 10 });
}

async function pickUp({ page }: Person, title: string): Promise<void> {
  const handle = await page.getByRole("button", { name: `Move ${title}` }).boundingBox();
  if (!handle) throw new Error("Not on the page");
  await page.mouse.move(handle.x + 5, handle.y + 5);
  await page.mouse.down();
  await page.mouse.move(handle.x + 5, handle.y - 10, { steps: 5 });
}
