/** The page itself opens without a network, with what the device has. */
import { expect, test } from "vitest";
import { startApp, useBrowser } from "../support/app.ts";
import { Person } from "../support/person.ts";
import { until } from "../support/until.ts";

useBrowser();

test("[W12] after one visit the board opens without a network, takes edits, and merges them on return", async () => {
  const app = await startApp();
  const [ana, ben] = [await app.person("Ana"), await app.person("Ben")];
  await ana.add("Known");
  await ana.sees("Saved");
  await ben.task("Known").waitFor();
  await isKept(ana);
  await ana.page.context().setOffline(true);
  await ana.page.reload();
  await ana.sees("Offline: nothing is unsaved");
  await ana.typeInto("Known", "!");
  await ana.sees("Offline: 1 change kept on this device");
  await ana.page.reload();
  await ana.task("Known!").waitFor();
  await ana.sees("Offline: 1 change kept on this device");
  expect(await ana.page.getByRole("navigation").getByRole("button").allInnerTexts()).toContain("Office move");
  // Never opened here: it is not shown as an empty one.
  await ana.open("Office move");
  await ana.page.getByText("This board is not on this device yet.").waitFor();
  await ana.open("Product launch");
  await ben.typeInto("Known", "?");
  await ben.sees("Saved");
  await ana.page.context().setOffline(false);
  for (const person of [ana, ben]) {
    await person.task(/^Known(!\?|\?!)$/).waitFor();
    await person.sees("Saved");
  }
});

test("[W12] a new tab without a network offers those who have not signed out on this device, and nobody else", async () => {
  const app = await startApp();
  const ana = await app.person("Ana");
  await ana.add("Known");
  await ana.sees("Saved");
  await isKept(ana);
  const context = ana.page.context();
  await context.setOffline(true);
  const tab = new Person({ name: "Ana", page: await context.newPage() });
  await tab.page.goto(app.url);
  await tab.page.getByRole("heading", { name: "Go on with what this device has" }).waitFor();
  expect(await tab.page.getByRole("listitem").allInnerTexts()).toEqual([expect.stringContaining("Ana")]);
  await tab.page.getByRole("button", { name: "Ana" }).click();
  await tab.typeInto("Known", "!");
  await tab.sees("Offline: 1 change kept on this device");
  await context.setOffline(false);
  await ana.task("Known!").waitFor();
  await tab.sees("Saved");
  await context.setOffline(true);
  await tab.page.getByRole("button", { name: "Sign out" }).click();
  await tab.page.getByText("The backend cannot be reached.").waitFor();
  await tab.page.reload();
  await tab.page.getByText("The backend cannot be reached.").waitFor();
  expect(await tab.page.getByRole("listitem").count()).toBe(0);
});

test("[W12] a session that has ended meanwhile asks for a login, and what was edited is sent after it", async () => {
  const app = await startApp();
  const [ana, ben] = [await app.person("Ana"), await app.person("Ben")];
  await ana.add("Known");
  await ana.sees("Saved");
  await ben.task("Known").waitFor();
  await ana.page.context().setOffline(true);
  await ana.typeInto("Known", "!");
  await ana.sees("Offline: 1 change kept on this device");
  await app.backend.signOut("ana");
  await ana.page.context().setOffline(false);
  await ana.page.getByRole("alert").getByText("Your session has ended.").waitFor();
  await ana.page.getByRole("button", { name: "Ana" }).click();
  await ben.task("Known!").waitFor();
  await ana.sees("Saved");
});

test("[W12] with a network a new build is there at the next load, and is then the one that opens without; a proxy's 503 is no build", async () => {
  const app = await startApp();
  const ana = await app.person("Ana");
  await ana.sees("Saved");
  await isKept(ana);
  const next = '<!doctype html><title>Next build</title><body><script src="/assets/next.js"></script>';
  const context = ana.page.context();
  await context.route("**/", (route) => route.fulfill({ status: 503, body: "away" }));
  await ana.page.reload();
  await ana.sees("Saved");
  await context.unroute("**/");
  await context.route("**/", (route) => route.fulfill({ contentType: "text/html", body: next }));
  await ana.page
    .context()
    .route("**/assets/next.js", (route) => route.fulfill({ body: "document.body.append('new')" }));
  await ana.page.reload();
  expect(await ana.page.title()).toBe("Next build");
  await until("the new build is kept", async () => (await kept(ana)).join() === "/,/assets/next.js");
  await context.setOffline(true);
  await ana.page.reload();
  await ana.page.getByText("new").waitFor();
});

/** Waits until the page could be opened without a network. */
async function isKept(person: Person): Promise<void> {
  await until("the page is kept", async () => (await kept(person)).length > 2);
  await person.page.evaluate("navigator.serviceWorker.ready.then(() => {})");
}

async function kept({ page }: Person): Promise<string[]> {
  return page.evaluate(
    "caches.open('righttask-page').then((cache) => cache.keys()).then((keys) => keys.map(({ url }) => new URL(url).pathname).sort())",
  );
}
