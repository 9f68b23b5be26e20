/** Whatever goes wrong, the page says what it is, and there is a way on. */
import { expect, test } from "vitest";
import { startApp, useBrowser } from "../support/app.ts";

useBrowser();

test.for([
  ["message", { MAX_MESSAGE_BYTES: "8192" }, "Your last change was larger than the server takes"],
  ["board", { MAX_DOCUMENT_BYTES: "4096" }, "This board has reached its size limit."],
] as const)(
  "[W11] a change that makes a %s too large is shown for copying, and is discarded when asked",
  async ([, limit, words]) => {
    const app = await startApp({ server: limit });
    const ana = await app.person("Ana");
    await ana.add("Small");
    await ana.sees("Saved");
    await ana.title("Small").click();
    await ana.page.keyboard.press("End");
    await ana.page.keyboard.insertText(" x".repeat(8000));
    await ana.page.getByRole("alert").getByText(words).waitFor();
    expect(await ana.title(/^Small( x)+$/).isVisible()).toBe(true);
    // Also after a reload: the copy has it too.
    await ana.page.reload();
    await ana.page.getByRole("alert").getByText(words).waitFor();
    await ana.page.getByRole("button", { name: "Discard what is unsaved" }).click();
    await ana.task("Small").waitFor();
    await ana.sees("Saved");
    await ana.typeInto("Small", " again");
    await ana.sees("Saved");
  },
);

test("[W11] an address without a board, and a backend that is away or answers nonsense, are said", async () => {
  const app = await startApp();
  const ana = await app.person("Ana");
  await ana.sees("Saved");
  await ana.page.goto(`${app.url}#task-list-99`);
  await ana.page.getByRole("alert").getByText("There is no board under this address.").waitFor();
  await ana.open("Office move");
  expect(await ana.page.title()).toBe("Office move - RightTask");

  await ana.page.getByRole("button", { name: "Sign out" }).click();
  await ana.page.getByRole("heading", { name: "Who are you today?" }).waitFor();
  await ana.page.route("**/api/**", (route) => route.fulfill({ status: 500, json: { statusCode: 500 } }));
  await ana.page.reload();
  await ana.page.getByRole("alert").getByText("The backend cannot be reached.").waitFor();
  await ana.page.unroute("**/api/**");
  await ana.page.getByRole("button", { name: "Try again" }).click();
  await ana.page.route("**/api/boards", (route) => route.fulfill({ json: { boards: "none" } }));
  await ana.page.getByRole("button", { name: "Ana" }).click();
  await ana.page.getByRole("alert").getByText("The boards cannot be loaded").waitFor();
  await ana.page.unroute("**/api/boards");
  await ana.page.getByRole("button", { name: "Try again" }).click();
  await ana.sees("Saved");
});

test("[W11] a task is not said to be nobody's where the names of the team are not known", async () => {
  const app = await startApp();
  const [ana, ben] = [await app.person("Ana"), await app.person("Ben")];
  await ana.add("Given");
  await ana.task("Given").getByRole("combobox", { name: "Assignee of Given" }).selectOption("Cleo");
  await ben.task("Given").waitFor();
  await ben.page.evaluate("localStorage.removeItem('righttask:ben:team')");
  await ben.page.route("**/api/auth/people", (route) => route.fulfill({ status: 503 }));
  await ben.page.reload();
  await ben.task("Given").waitFor();
  const assignee = ben.task("Given").getByRole("combobox", { name: "Assignee of Given" });
  // At first the board is what the device has of it, perhaps from before Ana's choice.
  await assignee
    .locator("option:checked")
    .and(ben.page.getByText("cleo", { exact: true }))
    .waitFor({ state: "attached" });
});

test("[W11] a fault of the page ends in words, and the page goes on when it is loaded again", async () => {
  const app = await startApp();
  const ana = await app.person("Ana");
  await ana.sees("Saved");
  await ana.add("Dated");
  await ana.page.evaluate(
    "Object.defineProperty(Intl.DateTimeFormat.prototype, 'format', { get: () => { throw new Error('broken') } })",
  );
  await ana
    .task("Dated")
    .getByLabel(/Due date/)
    .fill("2026-12-24");
  await ana.page.getByRole("heading", { name: "This page has a fault" }).waitFor();
  await ana.page.getByRole("button", { name: "Load again" }).click();
  await ana.task("Dated").waitFor();
  await ana.sees("Saved");
});
