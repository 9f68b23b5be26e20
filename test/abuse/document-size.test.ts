/** Who makes a room larger than the server can carry. */
import { closeReasons } from "../../lib/close-reasons.ts";
import { expect, test } from "vitest";
import * as Y from "yjs";
import { connect, type Client } from "../support/client.ts";
import { startComposition, type Composition } from "../support/composition.ts";
import { RawClient } from "../support/raw-client.ts";
import { until } from "../support/until.ts";
import { Bystanders } from "./bystanders.ts";

const MAX_BYTES = 100_000;
const env = { MAX_DOCUMENT_BYTES: String(MAX_BYTES) };

const bytesOf = (server: Composition): number => {
  const document = server.rooms.documents.get("room");
  return document ? Y.encodeStateAsUpdate(document).byteLength : 0;
};

test(
  "[M10] an edit that would make the room too large is refused for good before it is applied; the room goes on",
  { timeout: 60_000 },
  async () => {
    const server = await startComposition(env);
    const author = await connect({ url: server.url, name: "room" }).saved();
    const other = await connect({ url: server.url, name: "room" }).saved();
    for (let i = 0; author.denials.length === 0 && i < 20; i++) {
      author.text.insert(0, "x".repeat(10_000));
      await until("saved or refused", () => author.denials.length > 0 || !author.provider.hasUnsyncedChanges);
    }
    expect(author.denials).toEqual([closeReasons.documentTooBig.reason]);
    expect(author.closes).toEqual([]);
    expect(bytesOf(server)).toBeLessThanOrEqual(MAX_BYTES);
    expect(bytesOf(server)).toBeGreaterThan(MAX_BYTES / 2);

    // Deleting passes, and makes place.
    other.text.delete(0, other.text.length);
    await other.saved();
    await until(
      "merged",
      () => bytesOf(server) < 1000 && server.log.events("compacted").at(-1)?.["bytes"] === bytesOf(server),
    );
    for (let i = 0; i < 5; i++) {
      other.text.insert(0, "y".repeat(10_000));
      await other.saved();
      other.text.delete(0, 10_000);
      await other.saved();
    }
    expect([other.closes, other.denials]).toEqual([[], []]);
  },
);

test("[M10] so is a state that somebody brings, and the same in one message", async () => {
  const server = await startComposition(env);
  const bystanders = await Bystanders.join(server.url);
  const doc = new Y.Doc();
  doc.getText("text").insert(0, "x".repeat(MAX_BYTES));
  const update = Y.encodeStateAsUpdate(doc);
  await bystanders.during(
    (async () => {
      for (const bring of ["state", "update"] as const) {
        const client = await new RawClient(server.url).inside("room");
        client[bring]("room", update);
        await client.refused("room", "document-too-big");
        expect(client.acksTo("room")).toBe(0);
        expect(client.close).toBeNull();
      }
    })(),
  );
  expect(bytesOf(server)).toBeLessThan(MAX_BYTES / 2);
});

test("[M10] what was deleted while there was place is place again after a refusal", async () => {
  const server = await startComposition(env);
  const enter = (): Promise<Client> => connect({ url: server.url, name: "room" }).saved();
  const first = await enter();
  first.text.insert(0, "x".repeat(80_000));
  await first.saved();
  // Too little to bring about a merge by itself.
  first.text.delete(0, first.text.length);
  await first.saved();
  const refused = await enter();
  refused.text.insert(0, "y".repeat(50_000));
  expect(await refused.denied()).toBe("document-too-big");
  await until("merged", () => Number(server.log.events("compacted").at(-1)?.["bytes"]) < 1000);
  const taken = await enter();
  taken.text.insert(0, "z".repeat(50_000));
  await taken.saved();
  expect(taken.denials).toEqual([]);
});

test("[M10] a room that is larger than it may be by now opens, and can be made smaller", async () => {
  const server = await startComposition(env, [
    {
      async afterLoadDocument({ document }) {
        document.getText("text").insert(0, "x".repeat(2 * MAX_BYTES));
      },
    },
  ]);
  const client = await connect({ url: server.url, name: "room" }).saved();
  expect(client.text.length).toBe(2 * MAX_BYTES);
  client.text.delete(0, client.text.length);
  await client.saved();
  expect(client.denials).toEqual([]);
});
