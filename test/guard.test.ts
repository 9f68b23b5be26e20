/** An extension that fails in any hook harms at most the connection it failed for. */
import type { HookName } from "@hocuspocus/server";
import { expect, test } from "vitest";
import { closeReasons } from "../lib/close-reasons.ts";
import { hookNames } from "../lib/guard.ts";
import { Refusal } from "../lib/refusal.ts";
import { connect } from "./support/client.ts";
import { startComposition } from "./support/composition.ts";
import { RawClient } from "./support/raw-client.ts";
import { until } from "./support/until.ts";

/** Hocuspocus' own HTTP and upgrade hooks are never run: the server has a router and a gate of its own. */
const notRun: readonly HookName[] = ["onUpgrade", "onRequest", "onStoreDocument", "afterStoreDocument"];

const rejections = {
  "an Error": () => Promise.reject(new Error("broken hook")),
  nothing: () => Promise.reject(),
  "a string": () => Promise.reject("broken hook"),
  "a synchronous throw": () => {
    throw new Error("broken hook");
  },
} as const;

const cases = hookNames
  .filter((hook) => !notRun.includes(hook))
  .flatMap((hook) => Object.keys(rejections).map((kind) => [hook, kind as keyof typeof rejections] as const));

test.for(cases)("[F1] %s rejecting with %s: the server still serves everybody else", async ([hook, kind]) => {
  const broken = ({ documentName }: { documentName?: string }): unknown =>
    documentName === undefined || documentName === "broken" ? rejections[kind]() : Promise.resolve();
  const server = await startComposition({ ROOM_IDLE_SECONDS: "0" }, [
    { extensionName: "broken", [hook]: broken },
  ]);
  const bystander = await connect({ url: server.url, name: "fine" }).synced();

  // Everything that a client can do, in the room whose hook is broken.
  const client = connect({ url: server.url, name: "broken" });
  const reached = (): boolean => client.provider.synced || client.closes.length > 0;
  await until("in, or closed with a code that asks to come back", reached);
  client.text.insert(0, "x");
  client.provider.sendStateless("hello");
  client.provider.setAwarenessField("user", { name: "x" });
  server.rooms.documents.get("broken")?.broadcastStateless("hello");
  if (hook === "onTokenSync") await client.provider.sendToken();
  bystander.text.insert(0, "still served");
  await bystander.saved();
  client.leave();
  if (hook !== "onDestroy") await until("the broken hook met", () => server.guard.failures > 0);

  // Never a refusal: it is our trouble, not the client's.
  expect(client.denials).toEqual([]);
  expect(client.closes.every(({ code }) => code === 4500 || code === 4205)).toBe(true);
  expect([bystander.closes, bystander.denials]).toEqual([[], []]);
  await until("the broken room gone", () => !server.rooms.documents.has("broken"));
});

test("[F2] a failed hook is logged once, with its name, its extension and the room", async () => {
  const server = await startComposition({}, [
    { extensionName: "team-extension", onChange: () => Promise.reject(new Error("broken hook")) },
  ]);
  const client = await connect({ url: server.url, name: "room" }).synced();
  client.text.insert(0, "x");
  await client.saved();
  const lines = server.log.events("hook-failed");
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatchObject({ hook: "onChange", extension: "team-extension", room: "room" });
});

test("[F3] what onCreateDocument returns are the new document's options", async () => {
  const server = await startComposition({}, [{ onCreateDocument: async () => ({ gc: false }) }]);
  await connect({ url: server.url, name: "room" }).synced();
  expect(server.rooms.documents.get("room")?.gc).toBe(false);
});

test("[F3] every hook after authentication has the identity as its context", async () => {
  const seen: string[] = [];
  const server = await startComposition({}, [
    {
      connected: async ({ context }) => void seen.push(context.user.id),
      onChange: async ({ context }) => void seen.push(context.user.id),
      onDisconnect: async ({ context }) => void seen.push(context.user.id),
    },
  ]);
  const client = await connect({ url: server.url, name: "room" }).synced();
  client.text.insert(0, "x");
  await client.saved();
  client.leave();
  await until("three hooks", () => seen.length === 3);
  expect(new Set(seen).size).toBe(1);
  expect(seen[0]).toMatch(/^guest-/);
});

test("[F5] whoever is refused at connected is out of the room: hears nothing of it, and is let in once nobody objects", async () => {
  let refuses = false;
  const server = await startComposition({}, [
    {
      async connected() {
        if (refuses) throw new Refusal(closeReasons.roomForbidden);
      },
    },
  ]);
  const host = await connect({ url: server.url, name: "room" }).saved();
  refuses = true;
  const eve = await new RawClient(server.url).opened();
  eve.login("room");
  await eve.refused("room", "room-forbidden");
  expect(server.rooms.documents.get("room")?.getConnectionsCount()).toBe(1);
  const heard = eve.messages.length;
  host.text.insert(0, "secret");
  await host.saved();
  await eve.caughtUp();
  expect(eve.messages.slice(heard)).toEqual([]);
  refuses = false;
  await eve.inside("room");
});
