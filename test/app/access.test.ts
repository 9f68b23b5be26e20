/** What somebody may not do, the page does not offer, and the server does not take. */
import { expect, test } from "vitest";
import { startApp, useBrowser } from "../support/app.ts";
import { Person } from "../support/person.ts";
import { until } from "../support/until.ts";

useBrowser();

test("[W5] a read-only person follows and changes nothing: controls are off, and an edit that is forced reaches nobody and is not called saved", async () => {
  const app = await startApp();
  const [ana, cleo] = [await app.person("Ana"), await app.person("Cleo")];
  await ana.add("Look");
  await cleo.task("Look").waitFor();
  await cleo.sees("Read-only");
  const task = cleo.task("Look");
  for (const control of await task.locator("button, input, select").all())
    expect(await control.isDisabled()).toBe(true);
  expect(await task.getByRole("textbox", { name: "Title" }).getAttribute("contenteditable")).toBe("false");
  expect(await cleo.page.getByRole("textbox", { name: /New task/ }).count()).toBe(0);

  // As somebody would with the browser's own tools.
  const box = task.getByRole("checkbox");
  await box.evaluate((input: { disabled: boolean }) => (input.disabled = false));
  await box.click();
  await cleo.sees("Read-only: 1 change of yours not saved");
  // Both are on the same road: what comes after has arrived, and that has not.
  await ana.typeInto("Look", "!");
  await cleo.task("Look!").waitFor();
  expect(await ana.titles("Done")).toEqual([]);
  const later = await app.person("Ben");
  await later.task("Look!").waitFor();
  expect(await later.titles("Done")).toEqual([]);
  await cleo.page.getByRole("button", { name: "Discard" }).click();
  await cleo.status.getByText("Read-only", { exact: true }).waitFor();
  await cleo.task("Look!").waitFor();
  expect(await cleo.titles("Done")).toEqual([]);
});

test("[W6] who is removed from a board sees why at once, keeps nothing of it on the device, and is let in again", async () => {
  const app = await startApp();
  const [ana, ben] = [await app.person("Ana"), await app.person("Ben")];
  await ana.add("Secret");
  await ben.task("Secret").waitFor();
  await setAccess(ana, "Ben", "no access");
  await ben.page.getByRole("alert").getByText("You were removed from this board.").waitFor();
  expect(await ben.task("Secret").count()).toBe(0);
  await until("the copy of the board is gone", async () => (await copies(ben)).join() === "");
  await ben.page.getByRole("navigation").getByText("no access").waitFor();
  // Another board goes on.
  await ben.open("Hiring");
  await ben.add("Interview");
  await ben.sees("Saved");
  await setAccess(ana, "Ben", "can edit");
  await ben.open("Product launch");
  await ben.task("Secret").waitFor();
});

test("[W6] what was not saved when somebody lost the right to a board goes with it, and holds them up nowhere", async () => {
  const app = await startApp();
  const [ana, ben] = [await app.person("Ana"), await app.person("Ben")];
  await ana.add("Secret");
  await ben.task("Secret").waitFor();
  await ben.page.context().setOffline(true);
  await ben.typeInto("Secret", "!");
  await ben.sees("Offline: 1 change kept on this device");
  await setAccess(ana, "Ben", "no access");
  await ben.page.context().setOffline(false);
  await ben.page.getByRole("alert").getByText("You have no access to this board.").waitFor();
  await ben.open("Hiring");
  await ben.sees("Saved");
  await until("only Hiring is left", async () => (await copies(ben)).join() === "righttask:ben:task-list-3");
  expect(await ana.titles()).toEqual(["Secret"]);
});

test("[W6] rights that are narrowed and widened hold in the open page", async () => {
  const app = await startApp();
  const [ana, ben] = [await app.person("Ana"), await app.person("Ben")];
  await ben.add("Mine");
  await setAccess(ana, "Ben", "can read");
  await ben.sees("Read-only");
  expect(await ben.task("Mine").getByRole("checkbox").isDisabled()).toBe(true);
  await setAccess(ana, "Ben", "can edit");
  await ben.typeInto("Mine", " again");
  await ben.sees("Saved");
  await ana.task("Mine again").waitFor();
});

test("[W6] a board without access says so, and opens once there is", async () => {
  const app = await startApp();
  const [ana, ben] = [await app.person("Ana"), await app.person("Ben")];
  await ana.open("Hiring");
  await ana.page.getByText("You have no access to this board.").waitFor();
  await ben.open("Hiring");
  await setAccess(ben, "Ana", "can read");
  await ana.page.getByRole("button", { name: "Try again" }).click();
  await ana.sees("Read-only");
});

test("[W7] tokens that end while somebody writes are renewed, and nobody notices", async () => {
  // The server asks for another one 60 s before the end: with these at once, and again and again.
  const app = await startApp({
    backend: { TOKEN_TTL_SECONDS: "8" },
    server: { LOG_LEVEL: "debug" },
  });
  const ana = await app.person("Ana");
  await ana.add("Long");
  await ana.sees("Saved");
  const renewals = () => app.server.events("renewed").length;
  const statuses = await watchStatus(ana);
  await until("a token that has begun after the first one had ended", () => renewals() >= 3, {
    timeoutMs: 25_000,
  });
  await ana.typeInto("Long", " day");
  await ana.sees("Saved");
  expect(new Set(await statuses())).toEqual(new Set(["saved", "saving"]));
  expect(ana.complaints).toEqual([]);
});

test("[W10] whoever is signed out elsewhere is at the login, with the reason; signing out leaves nothing on the device", async () => {
  const app = await startApp();
  const [ana, ben] = [await app.person("Ana"), await app.person("Ben")];
  await ana.add("Private");
  await ana.sees("Saved");
  expect(await copies(ana)).toEqual(["righttask:ana:task-list-1"]);
  await app.backend.signOut("ana");
  await ana.page.getByRole("alert").getByText("Your session has ended. Log in again.").waitFor();
  await ben.sees("Saved");
  await ben.page.getByRole("button", { name: "Sign out" }).click();
  await ben.page.getByRole("button", { name: "Ana" }).waitFor();
  await until("nothing of Ben on the device", async () => (await copies(ben)).join() === "");
});

test("[W10] a token that arrives after signing out logs nobody in again, and ends nobody else's session", async () => {
  const app = await startApp();
  const ana = await app.person("Ana");
  await ana.sees("Saved");
  let answer = (): void => {};
  const answered = new Promise<void>((resolve) => (answer = resolve));
  await ana.page.route("**/api/auth/refresh", async (route) => {
    await answered;
    await route.continue();
  });
  const asked = ana.page.waitForRequest("**/api/auth/refresh");
  await ana.page.context().setOffline(true);
  await ana.page.context().setOffline(false);
  await asked;
  await ana.page.getByRole("button", { name: "Sign out" }).click();
  await ana.page.getByRole("button", { name: "Ana" }).waitFor();
  const late = ana.page.waitForResponse("**/api/auth/refresh");
  answer();
  await late;
  expect(await ana.page.evaluate("Object.keys(localStorage)")).toEqual([]);
  await ana.page.reload();
  await ana.page.getByRole("heading", { name: "Who are you today?" }).waitFor();
});

test("[W10] boards that arrive in the moment of signing out are not remembered", async () => {
  const app = await startApp();
  const ana = await app.person("Ana");
  await ana.sees("Saved");
  // The page is looked at, which asks for them; the answer comes while what is remembered is being removed.
  await ana.page.evaluate(`{
    const load = window.fetch;
    const response = { ok: true, status: 200, json: async () => [{ id: "secret", title: "Secret", access: "write" }] };
    let answer = () => {};
    const boards = new Promise((resolve) => (answer = () => resolve(response)));
    window.fetch = (path, init) => (path === "/api/boards" ? boards : load(path, init));
    const { removeItem } = Storage.prototype;
    Storage.prototype.removeItem = function (key) {
      removeItem.call(this, key);
      answer();
    };
    dispatchEvent(new Event("focus"));
  }`);
  await ana.page.getByRole("button", { name: "Sign out" }).click();
  await ana.page.getByRole("heading", { name: "Who are you today?" }).waitFor();
  expect(await ana.page.evaluate("Object.keys(localStorage)")).toEqual([]);
});

test("[W10] who is chosen at the login while another login is under way is not logged in too", async () => {
  const app = await startApp();
  const ana = await app.person("Ana");
  await ana.sees("Saved");
  await ana.page.getByRole("button", { name: "Sign out" }).click();
  let answer = (): void => {};
  const answered = new Promise<void>((resolve) => (answer = resolve));
  await ana.page.route("**/api/auth/login", async (route) => {
    await answered;
    await route.continue();
  });
  for (const name of ["Ana", "Ben"]) await ana.page.getByRole("button", { name }).click();
  answer();
  await ana.sees("Saved");
  expect(await ana.page.locator(".account-name").innerText()).toBe("Ana");
  expect(await ana.page.evaluate("Object.keys(localStorage).filter((key) => key.includes('ben'))")).toEqual(
    [],
  );
});

test("[W10] signing out is of all tabs of the person in that browser, and of nobody else's", async () => {
  const app = await startApp();
  const ana = await app.person("Ana");
  const tab = await ana.secondTab();
  const ben = new Person({ name: "Ben", page: await ana.page.context().newPage() });
  await ben.page.goto(app.url);
  await ben.page.getByRole("button", { name: "Ben" }).click();
  for (const person of [ana, tab, ben]) await person.sees("Saved");
  await ana.page.getByRole("button", { name: "Sign out" }).click();
  await tab.page.getByRole("alert").getByText("You were signed out in another tab.").waitFor();
  await until("nothing of Ana", async () => (await copies(ben)).join() === "righttask:ben:task-list-1");
  await ben.add("Still here");
  await ben.sees("Saved");
});

test("[W10] signing out works also in a browser that cannot list what it keeps", async () => {
  const app = await startApp();
  const ana = await app.person("Ana");
  await ana.sees("Saved");
  await ana.page.evaluate("delete IDBFactory.prototype.databases");
  await ana.page.getByRole("button", { name: "Sign out" }).click();
  await ana.page.getByRole("heading", { name: "Who are you today?" }).waitFor();
  expect(ana.complaints).toEqual([]);
});

test("[W6] what was taken from somebody while they were elsewhere goes from their device when the app hears of it", async () => {
  const app = await startApp();
  const [ana, ben] = [await app.person("Ana"), await app.person("Ben")];
  await ana.add("Secret");
  await ben.task("Secret").waitFor();
  await ben.open("Hiring");
  await ben.sees("Saved");
  await setAccess(ana, "Ben", "no access");
  await ben.page.evaluate("dispatchEvent(new Event('focus'))");
  await ben.page.getByRole("navigation").getByText("no access").waitFor();
  await until("only Hiring is left", async () => (await copies(ben)).join() === "righttask:ben:task-list-3");
});

async function setAccess(owner: Person, member: string, access: string): Promise<void> {
  const { page } = owner;
  await page.getByRole("button", { name: "Members" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("combobox", { name: `Access of ${member}` }).selectOption(access);
  await dialog.getByRole("button", { name: "Done" }).click();
}

/** The rooms on the person's device. */
async function copies({ page }: Person): Promise<string[]> {
  const names: string[] = await page.evaluate(
    "indexedDB.databases().then((databases) => databases.map(({ name }) => name))",
  );
  return names.filter((name) => name.startsWith("righttask:"));
}

/** Everything that the status says from now on. */
async function watchStatus({ page }: Person): Promise<() => Promise<string[]>> {
  await page.evaluate(`{
    const element = document.querySelector(".status");
    window.statuses = [element.dataset.status];
    new MutationObserver(() => window.statuses.push(element.dataset.status)).observe(element, { attributes: true });
  }`);
  return () => page.evaluate("window.statuses");
}
