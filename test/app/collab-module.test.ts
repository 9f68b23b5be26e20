/** The part of the app that a team copies, without a browser. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { HocuspocusProvider } from "@hocuspocus/provider";
import { createElement } from "react";
import { renderToString } from "react-dom/server";
import { expect, onTestFinished, test } from "vitest";
import { DirectSocket } from "../../examples/frontend/src/collab/direct-socket.ts";
import { EditCount } from "../../examples/frontend/src/collab/edit-count.ts";
import { isKnown, refusalFor, troubleFor } from "../../examples/frontend/src/collab/reasons.ts";
import { type SavedFacts, savedStatus } from "../../examples/frontend/src/collab/saved-status.ts";
import { closeReasons } from "../../lib/close-reasons.ts";
import { connect } from "../support/client.ts";
import { startComposition } from "../support/composition.ts";
import { until } from "../support/until.ts";

test("[W11] the page has words for everything that the server tells a client, and knows which of it is final", () => {
  for (const { reason, retry } of Object.values(closeReasons)) {
    expect([reason, isKnown(reason)]).toEqual([reason, true]);
    // A final word is a refusal, and one that asks to come back is a trouble that passes.
    expect([reason, troubleFor(reason) !== null]).toEqual([reason, retry]);
  }
  expect(refusalFor("something-new").next).toBe("ask");
  expect(refusalFor("constructor").text).toBe(refusalFor("something-new").text);
  expect(troubleFor("constructor")).toBeNull();
});

test("[W11] only lost rights take the copy off the device, only an ended session asks for a login, and what is refused for its content can be discarded", () => {
  const refusals = Object.values(closeReasons).map(({ reason }) => refusalFor(reason));
  const forgets = refusals.filter(({ forgetCopy }) => forgetCopy).map(({ reason }) => reason);
  expect(forgets).toEqual(["room-forbidden", "access-revoked"]);
  const logins = refusals.filter(({ next }) => next === "login").map(({ reason }) => reason);
  expect(logins).toEqual(["token-invalid", "token-expired"]);
  const discards = refusals.filter(({ next }) => next === "discard").map(({ reason }) => reason);
  expect(discards.toSorted()).toEqual([
    "client-id-taken",
    "document-too-big",
    "message-too-big",
    "update-rejected",
  ]);
});

test("[W13] the folder that a team copies needs nothing else of the app", () => {
  const folder = fileURLToPath(new URL("../../examples/frontend/src/collab/", import.meta.url));
  const files = readdirSync(folder).filter((name) => /\.tsx?$/.test(name));
  const imports = files.flatMap((name) =>
    [...readFileSync(join(folder, name), "utf8").matchAll(/ from "([^"]+)"/g)].map(([, from]) => from),
  );
  const others = imports.filter((from) => !files.includes(from?.replace(/^\.\//, "") ?? ""));
  expect([...new Set(others)].toSorted()).toEqual(["@hocuspocus/provider", "react", "y-indexeddb", "yjs"]);
});

test("[W13] while a server renders the page, no room is opened", async () => {
  // Not by name: its types are the browser's, and those of the tests are Node's.
  const module: string = new URL("../../examples/frontend/src/collab/use-room.ts", import.meta.url).href;
  const { useRoom } = (await import(module)) as { useRoom: (options: object) => object | null };
  const url = "ws://127.0.0.1:1";
  const Page = () =>
    JSON.stringify(useRoom({ url, room: "room", userId: "ana", token: async () => "guest" }));
  expect(renderToString(createElement(Page))).toBe("null");
});

const online: SavedFacts = {
  refusal: null,
  isAdmitted: true,
  hasFailed: false,
  access: "write",
  isAcknowledged: true,
  unsaved: 0,
  unsavedKept: 0,
  hasCopy: true,
  why: null,
};
const offline = { kind: "offline", changes: 3, why: null };
const lost = { isAdmitted: false, hasFailed: true, unsaved: 3 };

test.for<[string, Partial<SavedFacts>, object]>([
  ["all acknowledged", {}, { kind: "saved" }],
  ["an edit on its way", { unsaved: 1 }, { kind: "saving" }],
  ["the server has not answered the sync", { isAcknowledged: false }, { kind: "saving" }],
  ["first connect", { isAdmitted: false }, { kind: "connecting" }],
  ["connection lost", { ...lost, unsavedKept: 3 }, { ...offline, kept: 3, keeps: true }],
  ["the last edit is not written yet", { ...lost, unsavedKept: 2 }, { ...offline, kept: 2, keeps: true }],
  ["no copy here, or no whole one", { ...lost, hasCopy: false }, { ...offline, kept: 0, keeps: false }],
  ["access taken with edits left", { access: "read", unsaved: 2 }, { kind: "read-only", unsaved: 2 }],
])("[W3] the status: %s", ([, facts, status]) => {
  expect(savedStatus({ ...online, ...facts })).toEqual(status);
});

test("[W3] edits are counted right whichever comes first, the ack or the writing to this device", () => {
  const edits = new EditCount();
  const first = edits.made();
  expect(edits.saved()).toBe(true);
  edits.kept(first);
  expect([edits.unsaved, edits.unsavedKept]).toEqual([0, 0]);
  const second = edits.made();
  expect([edits.unsaved, edits.unsavedKept]).toEqual([1, 0]);
  edits.kept(second);
  expect([edits.unsaved, edits.unsavedKept]).toEqual([1, 1]);
  expect([edits.saved(), edits.saved()]).toEqual([true, false]);
});

test("[W3] edits from before the connect are sent once, with the sync: no ack of one of them stands for all", async () => {
  const { url } = await startComposition();
  const witness = await connect({ url, name: "room" }).synced();
  const socket = new DirectSocket({ url: url.replace(/^http/, "ws"), autoConnect: false });
  const provider = new HocuspocusProvider({ websocketProvider: socket, name: "room", token: "guest" });
  onTestFinished(() => {
    provider.destroy();
    socket.destroy();
  });
  provider.attach();
  for (const letter of "abc") provider.document.getText("text").insert(0, letter);
  await socket.connect();
  await until("saved", () => provider.synced && !provider.hasUnsyncedChanges);
  // What comes after everything else has arrived.
  provider.document.getText("text").insert(0, "d");
  await until("all of it", () => witness.content === "dcba");
  expect(witness.updatesReceived).toBe(2);
});
