/** Fit to be used: by everybody, on a phone, in the dark. `npm run screenshots` keeps what is seen here as the README's pictures. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import axe from "axe-core";
import jwt from "jsonwebtoken";
import { expect, test } from "vitest";
import { TaskChanges } from "../../examples/frontend/src/board/tasks.ts";
import { startApp, useBrowser } from "../support/app.ts";
import { jwtSecret } from "../support/backend.ts";
import { connect } from "../support/client.ts";
import type { Person } from "../support/person.ts";

const images = fileURLToPath(new URL("../../docs/images/", import.meta.url));
const desktop = { viewport: { width: 1180, height: 520 }, deviceScaleFactor: 1.5 };
const phone = { viewport: { width: 375, height: 720 }, deviceScaleFactor: 2, hasTouch: true };
const dark = { colorScheme: "dark" } as const;

useBrowser();

test("[W8] light and dark, wide and narrow: no serious finding of axe, nothing that a page complains about, nothing beside the screen", async () => {
  const app = await startApp();
  const ana = await app.person("Ana", desktop);
  await fill(ana);
  const ben = await app.person("Ben", { ...phone, ...dark });
  await ben.task("Rehearse the demo").waitFor();
  await ben.title("Translate the help pages").click();
  await ben.page.keyboard.press("End");
  await ana.title("Write the announcement").click();
  await ana.page.keyboard.press("End");
  await ana.page.getByText("Ben is editing").waitFor();
  await ben.page.getByText("Ana is editing").waitFor();
  await Promise.all([ana.sees("Saved"), ben.sees("Saved")]);
  await keepPicture(ana, "board.png");
  await keepPicture(ben, "phone-dark.png");
  for (const person of [ana, ben]) {
    expect(await findings(person)).toEqual([]);
    expect(await person.page.evaluate("document.documentElement.scrollWidth - innerWidth")).toBe(0);
  }

  await ana.page.getByRole("button", { name: "Members" }).click();
  await ana.page.getByRole("combobox", { name: "Access of Ben" }).waitFor();
  expect(await findings(ana)).toEqual([]);
  await ana.page.keyboard.press("Escape");

  const cleo = await app.person("Cleo", dark);
  await cleo.sees("Read-only");
  await cleo.task("Rehearse the demo").waitFor();
  expect(await findings(cleo)).toEqual([]);
  await cleo.open("Office move");
  await cleo.page.getByText("You have no access").waitFor();
  expect(await findings(cleo)).toEqual([]);
  // Everybody's colour is one on which their name can be read.
  await ben.open("Hiring");
  await ben.add("Interview");
  await cleo.open("Hiring");
  await cleo.title("Interview").click();
  await ben.page.getByText("Cleo is editing").waitFor();
  await ben.page.locator(".cm-ySelectionInfo").waitFor();
  expect(await findings(ben)).toEqual([]);
  await cleo.page.getByRole("button", { name: "Sign out" }).click();
  await cleo.page.getByRole("heading", { name: "Who are you today?" }).waitFor();
  expect(await findings(cleo)).toEqual([]);
  expect([ana, ben, cleo].flatMap(({ complaints }) => complaints)).toEqual([]);
});

test("[W8] a crowd and long names fit a narrow screen too", async () => {
  const app = await startApp();
  const ana = await app.person("Ana", phone);
  const url = `ws://127.0.0.1:${app.server.port}`;
  const crowd = await Promise.all(
    Array.from({ length: 20 }, async (_, number) => {
      const id = `person-${number}`;
      await app.backend.grant("task-list-1", id, "write");
      const token = jwt.sign({ sub: id, name: `Person ${number}` }, jwtSecret, { expiresIn: 3600 });
      return connect({ url, name: "task-list-1", token }).synced();
    }),
  );
  const [first] = crowd;
  if (!first) throw new Error("Nobody came");
  const [title, assignee] = ["A".repeat(100), "b".repeat(100)];
  new TaskChanges(first.doc).add({ title, assignee, column: "todo", index: 0 });
  await ana.task(title).waitFor();
  await ana.page.getByText("Person 19", { exact: true }).waitFor();
  expect(await ana.page.evaluate("document.documentElement.scrollWidth - innerWidth")).toBe(0);
});

test("[W8] a page without its server can be told from the others", async () => {
  const app = await startApp();
  const ana = await app.person("Ana", desktop);
  await fill(ana);
  await ana.sees("Saved");
  await app.killServer();
  await ana.page.getByRole("checkbox", { name: "Done: Rehearse the demo" }).check();
  await ana.sees("Offline: 1 change kept on this device");
  await keepPicture(ana, "offline.png");
  expect(await findings(ana)).toEqual([]);
});

test("[W8] the keyboard alone adds tasks, renames, ticks, deletes, and takes that back", async () => {
  const app = await startApp();
  const person = await app.person("Ana");
  const { keyboard } = person.page;
  await person.page.getByRole("textbox", { name: "New task in To do" }).focus();
  await keyboard.type("First");
  await keyboard.press("Enter");
  await person.title("First").focus();
  await keyboard.press("End");
  await keyboard.type(" one");
  await person.task("First one").waitFor();
  await keyboard.press("Enter");
  // Enter has made another one beneath, ready to type in.
  await person.page.locator(".cm-focused .cm-placeholder").waitFor();
  await keyboard.type("Second");
  await person.task("Second").waitFor();
  expect(await person.titles()).toEqual(["First one", "Second"]);
  await person.page.getByRole("checkbox", { name: "Done: First one" }).focus();
  await keyboard.press("Space");
  await person.column("Done").getByRole("listitem", { name: "First one" }).waitFor();
  await person.page.getByRole("button", { name: "Delete First one" }).focus();
  await keyboard.press("Enter");
  await person.task("First one").waitFor({ state: "detached" });
  await keyboard.press("Control+z");
  await person.task("First one").waitFor();
  expect(person.complaints).toEqual([]);
});

test("[W8] the keyboard's focus stays at a task that is moved, and is at the column's heading when one is deleted", async () => {
  const app = await startApp();
  const ana = await app.person("Ana");
  const { page } = ana;
  await ana.add("Here");
  const focused = page.locator(":focus");
  await ana.task("Here").getByRole("checkbox").focus();
  await page.keyboard.press("Space");
  await ana.column("Done").getByRole("checkbox", { name: "Done: Here", checked: true }).waitFor();
  expect(await focused.getAttribute("aria-label")).toBe("Done: Here");
  // What a window that goes behind another does: the focus stays, and its field is told that it has left.
  await focused.dispatchEvent("focusout");
  const ben = await app.person("Ben");
  await ben.task("Here").getByRole("checkbox").uncheck();
  await ana.column("To do").getByRole("checkbox", { name: "Done: Here" }).waitFor();
  expect(await focused.getAttribute("aria-label")).toBe("Done: Here");
  await ana.task("Here").getByRole("button", { name: "Delete Here" }).focus();
  await page.keyboard.press("Enter");
  await ana.task("Here").waitFor({ state: "detached" });
  expect(await focused.innerText()).toBe("To do 0");
});

test("[W8] while a card is dragged a screen reader hears titles", async () => {
  const app = await startApp();
  const ana = await app.person("Ana");
  for (const title of ["One", "Two"]) await ana.add(title);
  const spoken = ana.page.locator("[id^=dnd-kit-announcement]");
  await ana.page.getByRole("button", { name: "Move One" }).focus();
  await ana.page.keyboard.press("Enter");
  await spoken.getByText("One is picked up.").waitFor();
  await ana.page.keyboard.press("ArrowDown");
  await spoken.getByText("One is over Two.").waitFor();
  await ana.page.keyboard.press("Enter");
  await spoken.getByText("One is dropped.").waitFor();
});

test("[W8] a screen reader hears of the connection, not of each letter", async () => {
  const app = await startApp();
  const ana = await app.person("Ana");
  await ana.add("Quiet");
  await ana.sees("Saved");
  await ana.page.evaluate(`{
    const spoken = document.querySelector("output");
    window.heard = [];
    new MutationObserver(() => window.heard.push(spoken.textContent)).observe(spoken, { childList: true, characterData: true, subtree: true });
  }`);
  await ana.typeInto("Quiet", " please");
  await ana.sees("Saved");
  await app.killServer();
  await ana.typeInto("Quiet please", "!!");
  await ana.sees("Offline: 2 changes kept on this device");
  expect(await ana.page.evaluate("window.heard")).toEqual(["Offline: changes are kept on this device"]);
});

async function fill(person: Person): Promise<void> {
  for (const title of ["Write the announcement", "Translate the help pages", "Invite the first customers"])
    await person.add(title);
  for (const title of ["Try everything on a phone", "Rehearse the demo"])
    await person.add(title, "In progress");
  for (const title of ["Choose a name", "Order stickers"]) await person.add(title, "Done");
  await person
    .task("Write the announcement")
    .getByRole("combobox", { name: /Assignee/ })
    .selectOption("Ana");
  await person
    .task("Rehearse the demo")
    .getByRole("combobox", { name: /Assignee/ })
    .selectOption("Ben");
  await person
    .task("Rehearse the demo")
    .getByLabel(/Due date/)
    .fill("2099-12-03");
  await person
    .task("Write the announcement")
    .getByLabel(/Due date/)
    .fill("2099-12-09");
}

/** Serious and critical ones, short. */
async function findings({ page }: Person): Promise<string[]> {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate<axe.AxeResults>("axe.run()");
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html}\n${failureSummary}`));
}

/** Only where they are asked for: a test run leaves no changed files. */
async function keepPicture({ page }: Person, name: string): Promise<void> {
  if (process.env["SCREENSHOTS"] !== "1") return;
  mkdirSync(images, { recursive: true });
  await page.screenshot({ path: join(images, name), animations: "disabled" });
}
