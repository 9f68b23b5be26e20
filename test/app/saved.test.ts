/** What the status says is true, whatever happens to the server and the network. */
import { expect, test } from "vitest";
import * as Y from "yjs";
import { readTasks } from "../../examples/frontend/src/board/tasks.ts";
import { openStore } from "../../storage/open-store.ts";
import { startApp, useBrowser } from "../support/app.ts";
import { lockStore } from "../support/locked-store.ts";
import type { Person } from "../support/person.ts";

useBrowser();

test("[W3] the server is killed while two type: what was saved is on its disk, and both pages end with everything", async () => {
  const app = await startApp();
  const [ana, ben] = [await app.person("Ana"), await app.person("Ben")];
  await ana.add("Ana");
  // Two that are added at once have equal places, and chance says which is first.
  await ben.column("To do").getByRole("listitem", { name: "Ana" }).waitFor();
  await ben.add("Ben");
  await Promise.all([ana.typeInto("Ana", " saved"), ben.typeInto("Ben", " saved")]);
  await Promise.all([ana.sees("Saved"), ben.sees("Saved")]);

  const typing = Promise.all([
    ana.page.keyboard.type(" and more of it", { delay: 20 }),
    ben.page.keyboard.type(" and more of it", { delay: 20 }),
  ]);
  await ben.task(/^Ana saved and/).waitFor();
  await app.killServer();
  await typing;
  // On a slow machine all of that may have been saved before.
  for (const { page } of [ana, ben]) await page.keyboard.type(", offline");
  expect(await storedTitles(app.databaseUrl)).toEqual([
    expect.stringMatching(/^Ana saved and/),
    expect.stringMatching(/^Ben saved/),
  ]);
  await Promise.all([ana.sees(/changes? kept on this device/), ben.sees(/changes? kept on this device/)]);

  await app.startServer();
  await Promise.all([ana.sees("Saved"), ben.sees("Saved")]);
  const everything = ["Ana saved and more of it, offline", "Ben saved and more of it, offline"];
  for (const person of [ana, ben]) {
    await person.task(everything[0] ?? "").waitFor();
    await person.task(everything[1] ?? "").waitFor();
  }
  expect(await storedTitles(app.databaseUrl)).toEqual(everything);
});

test("[W3] while the server cannot save, the page does not say that it has", async () => {
  const app = await startApp();
  const ana = await app.person("Ana");
  await ana.add("Before");
  await ana.sees("Saved");
  const release = lockStore(app.databaseUrl.replace("sqlite:", ""));
  await ana.typeInto("Before", ", and after");
  await ana.sees("Saving");
  await app.server.logged(
    "cannot save",
    ({ event, ["storage"]: storage }) => event === "health" && storage === "failing",
  );
  expect(await ana.status.innerText()).toBe("Saving");
  release();
  await ana.sees("Saved");
});

test("[W4] edits without a network are counted, kept and merged with what the others did meanwhile", async () => {
  const app = await startApp();
  const [ana, ben] = [await app.person("Ana"), await app.person("Ben")];
  await ana.add("Shared");
  await ben.task("Shared").waitFor();
  await ana.page.context().setOffline(true);
  await ana.sees("Offline: nothing is unsaved");
  await ana.typeInto("Shared", "!");
  await ana.sees("Offline: 1 change kept on this device");
  await ana.add("Alone");
  await ben.typeInto("Shared", "?");
  await ben.sees("Saved");
  await ana.page.context().setOffline(false);
  for (const person of [ana, ben]) {
    await person.sees("Saved");
    await person.task(/^Shared(!\?|\?!)$/).waitFor();
    await person.task("Alone").waitFor();
  }
});

test("[W4] edits that the server has not seen survive a reload, and are saved when it is back", async () => {
  const app = await startApp();
  const ana = await app.person("Ana");
  await ana.add("Here");
  await ana.sees("Saved");
  await app.killServer();
  await ana.typeInto("Here", " to stay");
  await ana.sees(/8 changes kept on this device/);
  await ana.page.reload();
  await ana.sees(/8 changes kept on this device/);
  await ana.task("Here to stay").waitFor();
  await app.startServer();
  await ana.sees("Saved");
  expect(await storedTitles(app.databaseUrl)).toEqual(["Here to stay"]);
});

test("[W4] the edits of several tabs of one person are counted together, and none is forgotten when another tab has saved", async () => {
  const app = await startApp();
  const ana = await app.person("Ana");
  await ana.add("Mine");
  await ana.sees("Saved");
  const tab = await ana.secondTab();
  await tab.task("Mine").waitFor();
  await tab.sees("Saved");
  await app.killServer();
  await ana.typeInto("Mine", "12");
  await tab.typeInto("Mine", "3");
  await ana.sees("Offline: 2 changes kept on this device");
  await tab.sees("Offline: 1 change kept on this device");
  await ana.page.reload();
  await ana.sees("Offline: 3 changes kept on this device");
  await tab.page.close();
  await app.startServer();
  await ana.sees("Saved");
  await app.killServer();
  await ana.page.reload();
  await ana.sees("Offline: nothing is unsaved");
  expect(await storedTitles(app.databaseUrl)).toEqual([expect.stringMatching(/^Mine(123|312|132)$/)]);
});

test("[W4] a board that is left before its edits were saved says so, is sent without being opened, and is not lost by signing out unasked", async () => {
  const app = await startApp();
  const [ana, ben] = [await app.person("Ana"), await app.person("Ben")];
  await ana.add("Left");
  await ben.task("Left").waitFor();
  await ana.sees("Saved");
  await app.killServer();
  await ana.typeInto("Left", " behind");
  await ana.sees("Offline: 7 changes kept on this device");
  await ana.open("Office move");
  const boards = ana.page.getByRole("navigation", { name: "Boards" });
  await boards.getByText("7 unsaved").waitFor();
  const [question] = await Promise.all([
    ana.page.waitForEvent("dialog"),
    ana.page.getByRole("button", { name: "Sign out" }).click({ noWaitAfter: true }),
  ]);
  expect(question.message()).toContain("Sign out and lose them?");
  await question.dismiss();
  await app.startServer();
  await ben.task("Left behind").waitFor();
  await boards.getByText("unsaved").waitFor({ state: "detached" });
});

test("[W3] a device that takes no more edits is not said to keep them, and leaving asks", async () => {
  const app = await startApp();
  const ana = await app.person("Ana");
  await ana.add("Full");
  await ana.sees("Saved");
  await fillDisk(ana);
  await app.killServer();
  await ana.typeInto("Full", "!");
  await ana.sees("Offline: 1 change in this tab only");
  const questions: string[] = [];
  ana.page.once("dialog", async (question) => {
    questions.push(question.message());
    await question.dismiss();
  });
  await ana.page.getByRole("button", { name: "Hiring" }).click();
  expect(questions).toEqual([expect.stringContaining("Leave the board and lose them?")]);
  const [question] = await Promise.all([
    ana.page.waitForEvent("dialog"),
    ana.page.close({ runBeforeUnload: true }),
  ]);
  expect(question.type()).toBe("beforeunload");
  await question.dismiss();
  await app.startServer();
  await ana.sees("Saved");
});

test("[W3] asking again after a refusal loses nothing of what is in the tab only", async () => {
  const app = await startApp({ server: { MAX_CONNECTIONS_PER_ROOM: "1" } });
  const ana = await app.person("Ana");
  await ana.add("Full");
  await ana.sees("Saved");
  await fillDisk(ana);
  await ana.page.context().setOffline(true);
  await ana.typeInto("Full", "!");
  await ana.sees("Offline: 1 change in this tab only");
  const ben = await app.person("Ben");
  await ben.task("Full").waitFor();
  await ana.page.context().setOffline(false);
  await ana.page.getByRole("alert").getByText("This board is full at the moment.").waitFor();
  await ben.open("Hiring");
  await ben.sees("Saved");
  await ana.page.getByRole("button", { name: "Try again" }).click();
  await ana.task("Full!").waitFor();
  await ana.sees("Saved");
  expect(await storedTitles(app.databaseUrl)).toEqual(["Full!"]);
});

test("[W3] a copy that is deleted under the page is not said to keep anything", async () => {
  const app = await startApp();
  const ana = await app.person("Ana");
  await ana.add("Bare");
  await ana.sees("Saved");
  await ana.page.evaluate(
    "new Promise((done) => (indexedDB.deleteDatabase('righttask:ana:task-list-1').onsuccess = done)).then(() => {})",
  );
  await app.killServer();
  await ana.typeInto("Bare", "!!");
  await ana.sees("Offline: 2 changes in this tab only");
  await app.startServer();
  await ana.sees("Saved");
  expect(await storedTitles(app.databaseUrl)).toEqual(["Bare!!"]);
});

/** What a full disk does: each transaction is aborted. */
async function fillDisk({ page }: Person): Promise<void> {
  await page.evaluate(`{
    const { add } = IDBObjectStore.prototype;
    IDBObjectStore.prototype.add = function (...row) {
      const request = add.apply(this, row);
      this.transaction.abort();
      return request;
    };
  }`);
}

/** As another program would read them from the disk. */
async function storedTitles(databaseUrl: string): Promise<string[]> {
  const store = openStore({ databaseUrl });
  try {
    const document = new Y.Doc();
    const { snapshot, updates } = await store.load("task-list-1");
    for (const update of snapshot ? [snapshot, ...updates] : updates) Y.applyUpdate(document, update);
    return readTasks(document).map(({ titleText }) => titleText);
  } finally {
    await store.close();
  }
}
