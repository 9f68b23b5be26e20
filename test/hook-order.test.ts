/** Messages of a client in a room where a team's hook takes its time. */
import { MessageType, type Extension } from "@hocuspocus/server";
import * as encoding from "lib0/encoding";
import { expect, test } from "vitest";
import * as Y from "yjs";
import type { Identity } from "../lib/identity.ts";
import { startComposition } from "./support/composition.ts";
import { RawClient } from "./support/raw-client.ts";
import { typed } from "./support/updates.ts";
import { until } from "./support/until.ts";

function slowHook(): { open: () => void; calls: string[]; extension: Extension<Identity> } {
  const gate = Promise.withResolvers<void>();
  const calls: string[] = [];
  return {
    open: gate.resolve,
    calls,
    extension: {
      async beforeSync() {
        await gate.promise;
      },
      async onChange() {
        calls.push("change");
      },
      async onStateless() {
        calls.push("stateless");
      },
      async onDisconnect() {
        calls.push("disconnect");
      },
    },
  };
}

test("[F4] a client's last edits come before its onDisconnect, and everything in the order in which it was sent", async () => {
  const { open, calls, extension } = slowHook();
  const server = await startComposition({}, [extension]);
  const client = await new RawClient(server.url).opened();
  client.login("room");
  client.firstSync("room");
  await until("inside", () => server.rooms.documents.get("room")?.getConnectionsCount() === 1);
  const [first, second] = typed("ab") as [Uint8Array, Uint8Array];
  client.update("room", first);
  client.send("room", MessageType.Stateless, (encoder) => encoding.writeVarString(encoder, "hello"));
  client.update("room", second);
  client.socket.terminate();
  await until("gone", () => server.rooms.documents.get("room")?.getConnectionsCount() === 0);
  open();
  await until("disconnect", () => calls.includes("disconnect"));
  expect(calls).toEqual(["change", "stateless", "change", "disconnect"]);
  expect(server.rooms.documents.get("room")?.getText("text").toJSON()).toBe("ab");
});

test.each([
  ["onDisconnect", ["stateless"]],
  ["the next message", ["stateless", "change", "stateless"]],
])("[F4] what Hocuspocus handles itself is waited for like everything else, by %s", async (_, rest) => {
  const { open, calls, extension } = slowHook();
  open();
  const gate = Promise.withResolvers<void>();
  const server = await startComposition({}, [
    extension,
    {
      async beforeHandleMessage({ update }) {
        if (Buffer.from(update).includes("hello")) await gate.promise;
      },
    },
  ]);
  const sayHello = (client: RawClient): void =>
    client.send("room", MessageType.Stateless, (encoder) => encoding.writeVarString(encoder, "hello"));
  const [first, second] = typed("ab") as [Uint8Array, Uint8Array];
  const client = await new RawClient(server.url).inside("room");
  client.update("room", first);
  await until("the first edit", () => calls.length === 1);
  for (const kind of rest) {
    if (kind === "change") client.update("room", second);
    else sayHello(client);
  }
  await client.caughtUp();
  client.socket.terminate();
  await until("gone", () => server.rooms.documents.get("room")?.getConnectionsCount() === 0);
  gate.resolve();
  await until("disconnect", () => calls.includes("disconnect"));
  expect(calls).toEqual(["change", ...rest, "disconnect"]);
});

/** Of a megabyte each. */
const large = Array.from({ length: 18 }, () => {
  const doc = new Y.Doc();
  doc.getText("text").insert(0, "x".repeat(1_000_000));
  return Y.encodeStateAsUpdate(doc);
});

test.each([
  ["more", typed("x".repeat(1001))],
  ["larger things", large],
])(
  "[F4] a client that sends %s than the hooks take is closed, and what waited is given up",
  async (_, updates) => {
    const { open, calls, extension } = slowHook();
    const server = await startComposition({}, [extension]);
    const client = await new RawClient(server.url).opened();
    client.login("room");
    await until("inside", () => server.rooms.documents.get("room")?.getConnectionsCount() === 1);
    for (const update of updates) client.update("room", update);
    expect(await client.closed()).toMatchObject({ code: 4205 });
    open();
    await until("disconnect", () => calls.includes("disconnect"));
    expect(client.acksTo("room")).toBe(0);
    // The first one may have been under way.
    const changes = calls.filter((call) => call === "change");
    expect(changes.length).toBeLessThanOrEqual(1);
  },
);

test("[F4] what the hooks are done with does not count any more", async () => {
  const { open, extension } = slowHook();
  open();
  const server = await startComposition({}, [extension]);
  const client = await new RawClient(server.url).inside("room");
  const known = large[0] as Uint8Array;
  const small = typed("x".repeat(60));
  for (let round = 1; round <= large.length; round++) {
    for (const update of [known, ...small]) client.update("room", update);
    await until("all taken", () => client.acksTo("room") === round * (small.length + 1));
  }
  expect(client.close).toBeNull();
});
