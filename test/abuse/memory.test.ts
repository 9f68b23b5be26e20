/** Who fills the memory by many rooms, each of which is small enough. */
import { MessageType } from "@hocuspocus/server";
import { expect, test } from "vitest";
import * as Y from "yjs";
import { closeReasons } from "../../lib/close-reasons.ts";
import { connect, type Client } from "../support/client.ts";
import { startComposition, type Composition } from "../support/composition.ts";
import { namedUsers, tokenOf } from "../support/presence.ts";
import { RawClient } from "../support/raw-client.ts";
import { callApi } from "../support/room-api.ts";
import { storeText } from "../support/stored-room.ts";
import { tempDatabase } from "../support/temp-dir.ts";
import { until } from "../support/until.ts";
import { Bystanders } from "./bystanders.ts";

const MAX_BYTES = 8_000_000;
const PRESSURE = (MAX_BYTES * 3) / 4;
const env = { ...namedUsers, MAX_ROOMS_BYTES: String(MAX_BYTES) };

/** Of memory, of one write: 200 nested types in 2 kB. */
const CHUNK_ELEMENTS = 200;
const CHUNK_BYTES = 110_000;

/** A writer with a token for every room, on one socket. */
class Filler {
  readonly client: RawClient;
  readonly #token: string;
  #rooms = 0;

  constructor(user: string, url: string) {
    this.client = new RawClient(url);
    this.#token = tokenOf(user);
  }

  async enter(room: string): Promise<void> {
    await this.client.opened();
    this.client.login(room, { token: this.#token });
    this.client.firstSync(room);
    await this.client.received(room, MessageType.Sync);
  }

  /** A room of its own with so many chunks. Resolves with the room, or with null when it was turned away. */
  async fill(chunks: number): Promise<string | null> {
    const room = `${this.#token.slice(-8)}-${this.#rooms++}`;
    await this.enter(room);
    return (await this.write(room, chunks)) ? room : null;
  }

  /** Resolves with whether each chunk is acknowledged. */
  async write(room: string, chunks: number): Promise<boolean> {
    const acks = this.client.acksTo(room);
    const denial = this.#denialIn(room);
    const document = new Y.Doc();
    const updates: Uint8Array[] = [];
    document.on("update", (update) => updates.push(update));
    for (let chunk = 0; chunk < chunks; chunk++)
      document.transact(() => {
        const items = Array.from({ length: CHUNK_ELEMENTS }, () => new Y.Map());
        document.getArray("items").push(items);
      });
    for (const [index, update] of updates.entries()) {
      this.client.update(room, update);
      await until(
        "acknowledged or refused",
        () => this.client.acksTo(room) > acks + index || this.client.close || denial(),
      );
      if (this.client.acksTo(room) <= acks + index) return false;
    }
    return true;
  }

  #denialIn(room: string): () => boolean {
    return () =>
      this.client.messages.some((message) => {
        const text = Buffer.from(message).toString();
        return text.includes(room) && text.includes(closeReasons.tooMuchOpen.reason);
      });
  }
}

async function bytesOf({ metrics }: Composition): Promise<number> {
  return Number(/^righttask_rooms_bytes (\S+)$/m.exec(await metrics.text())?.[1]);
}

test("[M21] one user's rooms take half of the memory at most, then an edit is refused for good; nobody else notices, and closed rooms give it back", async () => {
  const server = await startComposition({ ...env, ROOM_IDLE_SECONDS: "0" });
  const bystanders = await Bystanders.join(server.url, { token: tokenOf("ana") });
  const before = await bytesOf(server);
  const eve = new Filler("eve", server.url);
  await bystanders.during(
    (async () => {
      let filled = 0;
      while ((await eve.fill(3)) !== null) expect(++filled).toBeLessThan(30);
      expect(filled).toBeGreaterThan(8);
      expect(await bytesOf(server)).toBeLessThan(before + MAX_BYTES / 2 + CHUNK_BYTES);
      // Not by another device either, and the socket stays: in its other rooms it reads, and may delete.
      expect(await new Filler("eve", server.url).fill(1)).toBe(null);
      expect(eve.client.close).toBeNull();
    })(),
  );
  expect(server.log.events("memory")).toEqual([]);
  eve.client.socket.terminate();
  await until("given back", async () => (await bytesOf(server)) < before + 2 * CHUNK_BYTES);
  expect(await new Filler("eve", server.url).fill(1)).not.toBe(null);
});

test("[M21] what is deleted does not count any more, and deleting always passes", async () => {
  const server = await startComposition(env);
  const eve = connect({ url: server.url, name: "room", token: tokenOf("eve") });
  const items = eve.doc.getArray("items");
  const fill = async (): Promise<void> => {
    items.push(Array.from({ length: 6000 }, () => new Y.Map()));
    await eve.saved();
  };
  await fill();
  const second = connect({ url: server.url, name: "room", token: tokenOf("eve") });
  await second.saved();
  second.doc.getArray("items").push(Array.from({ length: 6000 }, () => new Y.Map()));
  expect(await second.denied()).toBe("too-much-open");
  for (let round = 0; round < 3; round++) {
    items.delete(0, items.length);
    await eve.saved();
    await fill();
  }
  expect([eve.closes, eve.denials]).toEqual([[], []]);
});

test("[M21] text that is deleted is place again once it is merged, which a refusal brings about", async () => {
  const server = await startComposition(env);
  const tab = async (): Promise<Client> =>
    await connect({ url: server.url, name: "room", token: tokenOf("eve") }).synced();
  const first = await tab();
  // Less than what has the journal merged by itself.
  first.text.insert(0, "x".repeat(3_500_000));
  await first.saved();
  first.text.delete(0, first.text.length);
  await first.saved();
  const refused = await tab();
  refused.text.insert(0, "y".repeat(1_000_000));
  expect(await refused.denied()).toBe("too-much-open");
  await until("merged", () => server.log.events("compacted").length > 0);
  const taken = await tab();
  taken.text.insert(0, "z".repeat(1_000_000));
  await taken.saved();
  expect([first.closes, taken.denials]).toEqual([[], []]);
});

test("[M21] who has opened too much is told to come back, and gets in where the others of their rooms are empty", async () => {
  const { url } = tempDatabase();
  for (const room of ["one", "two"]) await storeText(url, room, ["x".repeat(2_500_000)]);
  const server = await startComposition({ ...env, DATABASE_URL: url });
  const open = (name: string): Client => connect({ url: server.url, name, token: tokenOf("eve") });
  const one = await open("one").synced();
  const early = open("two");
  expect(await early.closedWith(4506)).toMatchObject({ reason: "memory-full" });
  expect([one.closes, early.denials]).toEqual([[], []]);
  // Empty, and kept for a minute: long before that, the one who comes back needs the place.
  one.leave();
  await early.synced();
  expect([early.text.length, server.log.events("memory")]).toEqual([2_500_000, []]);
});

test("[M20] open rooms take no more than all of it, whoever has opened them, and what one's coming has loaded counts for the next room", async () => {
  const { url } = tempDatabase();
  for (const room of ["one", "two"]) await storeText(url, room, ["x".repeat(3_200_000)]);
  for (const room of ["three", "four"]) await storeText(url, room, ["x".repeat(550_000)]);
  const server = await startComposition({ ...env, DATABASE_URL: url });
  // The server itself is refused nothing.
  const own = await Promise.all(["one", "two"].map((room) => server.rooms.openDirectConnection(room)));
  const open = (name: string, user: string): Client =>
    connect({ url: server.url, name, token: tokenOf(user) });
  await open("three", "dan").synced();
  const four = open("four", "dan");
  expect(await four.closedWith(4506)).toMatchObject({ reason: "memory-full" });
  four.leave();
  // Each of these is within an equal part of the last quarter, and together they are not.
  const writers: Client[] = [];
  for (const user of ["ana", "ben", "cleo"]) {
    const writer = await open(`of-${user}`, user).synced();
    writer.text.insert(0, "y".repeat(380_000));
    await until(`${user} told`, () => !writer.provider.hasUnsyncedChanges || writer.closes.length > 0);
    writers.push(writer);
    expect(await bytesOf(server)).toBeLessThan(MAX_BYTES);
  }
  expect(writers.map(({ closes }) => closes[0]?.code)).toEqual([undefined, undefined, 4506]);
  for (const connection of own) await connection.disconnect();
  await writers[2]?.saved();
});

test(
  "[M20] when open rooms take three quarters, empty ones go at once, large ones are to come later, and small ones go on",
  { timeout: 60_000 },
  async () => {
    const server = await startComposition(env);
    const owner = await connect({ url: server.url, name: "large", token: tokenOf("owner") }).synced();
    owner.text.insert(0, "x".repeat(1_000_000));
    await owner.saved();
    owner.leave();
    const bystanders = await Bystanders.join(server.url, { token: tokenOf("ana") });
    const [eve, mallory, trudy] = ["eve", "mallory", "trudy"].map((user) => new Filler(user, server.url));
    if (!eve || !mallory || !trudy) throw new Error("three of them");

    /** Two together: either alone would be at its half. */
    let room: string | null = null;
    const fillUp = async (): Promise<void> => {
      while ((await bytesOf(server)) < PRESSURE - 2 * CHUNK_BYTES) {
        expect(await mallory.fill(1)).not.toBe(null);
        room = await eve.fill(1);
        expect(room).not.toBe(null);
      }
    };
    const lastSaid = (): unknown => server.log.events("memory").at(-1)?.["memory"];

    await bystanders.during(
      (async () => {
        await fillUp();
        expect([lastSaid(), server.rooms.documents.has("large")]).toEqual([undefined, true]);
        // Each has an equal part of the last quarter.
        expect(await trudy.fill(3)).not.toBe(null);
        await until("the empty room gone", () => !server.rooms.documents.has("large"));
        expect(server.log.events("memory")[0]?.["memory"]).toBe("short");
        await fillUp();
        expect(await new Filler("victor", server.url).fill(3)).not.toBe(null);
        expect(lastSaid()).toBe("short");
        expect(await callApi(server.url, "GET /readyz")).toMatchObject({
          status: 200,
          body: { ready: true, parts: { memory: expect.stringMatching(/^degraded: /) } },
        });

        const brief = await connect({ url: server.url, name: "brief", token: tokenOf("cleo") }).synced();
        brief.leave();
        await until("left and gone", () => !server.rooms.documents.has("brief"));

        const late = connect({ url: server.url, name: "large", token: tokenOf("dan") });
        expect(await late.closedWith(4506)).toMatchObject({ reason: "memory-full" });
        const small = await connect({ url: server.url, name: "small", token: tokenOf("cleo") }).synced();
        small.text.insert(0, "x");
        await small.saved();
        expect(small.closes).toEqual([]);
        expect(await bytesOf(server)).toBeLessThan(MAX_BYTES);

        expect(await eve.write(room ?? "", 1)).toBe(false);
        expect(await eve.client.closed()).toEqual({ code: 4506, reason: "memory-full" });
        await until("relieved", () => lastSaid() === "ok");
        await late.synced();
        expect(late.text.length).toBe(1_000_000);
        expect(late.denials).toEqual([]);
      })(),
    );
  },
);
