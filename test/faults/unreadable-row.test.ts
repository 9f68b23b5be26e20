import { crc32 } from "node:zlib";
import { expect, test } from "vitest";
import { connect, type Client } from "../support/client.ts";
import { startProcess, type ServerProcess } from "../support/server-process.ts";
import { tempDatabase } from "../support/temp-dir.ts";
import { checkpoint, flipBit, inDatabase } from "./damage.ts";

const MARK = "the-first-task";

/** A room with one task each of two people, neither of which needs the other's. `merged` puts them into the snapshot. */
async function stored({ merged }: { merged: boolean }): Promise<{ path: string; url: string }> {
  const { path, url } = tempDatabase();
  const server = await startProcess({ DATABASE_URL: url });
  for (const name of [MARK, "the-second-task"]) {
    const person = await connect({ url: server.url, name: "room" }).synced();
    person.tasks.set(name, name);
    await person.saved();
    person.leave();
  }
  await server.ended(merged ? "SIGTERM" : "SIGKILL");
  checkpoint(path);
  return { path, url };
}

async function visit(url: string): Promise<{ server: ServerProcess; visitor: Client }> {
  const server = await startProcess({ DATABASE_URL: url });
  return { server, visitor: connect({ url: server.url, name: "room" }) };
}

interface Row {
  data: Uint8Array;
  sum: number;
  reason: string;
}

const quarantine = (path: string): Row[] =>
  inDatabase(path, (db) => db.prepare<[], Row>("SELECT data, sum, reason FROM quarantine").all());

/** Seen, told of in the log, and set aside: once. */
async function expectSetAside(path: string, url: string, reason: RegExp): Promise<void> {
  const { server, visitor } = await visit(url);
  await visitor.synced();
  expect([...visitor.tasks.keys()]).toEqual(["the-second-task"]);
  const line = await server.logged("quarantine", ({ event }) => event === "quarantined");
  expect(line).toMatchObject({ level: 50, room: "room", seq: 1, reason: expect.stringMatching(reason) });
  expect(quarantine(path)).toMatchObject([{ reason: line["reason"] }]);
  visitor.tasks.set("the-third-task", "x");
  await visitor.saved();
  await server.ended("SIGKILL");

  const again = await visit(url);
  await again.visitor.synced();
  expect([...again.visitor.tasks.keys()].toSorted()).toEqual(["the-second-task", "the-third-task"]);
  expect(again.server.events("quarantined")).toEqual([]);
}

test("[S10] a row that does not decode is set aside, and the rest of the room loads", async () => {
  const { path, url } = await stored({ merged: false });
  const garbage = Buffer.from("no update at all");
  inDatabase(path, (db) =>
    db.prepare("UPDATE journal SET data = ?, sum = ? WHERE seq = 1").run(garbage, crc32(garbage)),
  );
  await expectSetAside(path, url, /does not decode/);
  expect(Buffer.from(quarantine(path)[0]?.data ?? [])).toEqual(garbage);
});

test("[S10] a flipped bit in a row's text, which would decode, is set aside", async () => {
  const { path, url } = await stored({ merged: false });
  flipBit(path, MARK);
  await expectSetAside(path, url, /checksum does not match/);
});

test("[S10] a row that is damaged under a server, which need not see it, is set aside after the next crash", async () => {
  const { path, url } = await stored({ merged: false });
  const { server, visitor } = await visit(url);
  await visitor.synced();
  flipBit(path, MARK);
  await server.ended("SIGKILL");
  visitor.leave();
  await expectSetAside(path, url, /checksum does not match/);
});

const damages = {
  "does not decode": (path: string) =>
    inDatabase(path, (db) => db.exec("UPDATE documents SET data = substr(data, 1, length(data) - 5)")),
  "has a flipped bit, and would decode": (path: string) => flipBit(path, MARK),
};

test.for(Object.entries(damages))(
  "[S10] a snapshot that %s: the room is refused with 4501, never shown empty, and comes back with its data",
  async ([, damage]) => {
    const { path, url } = await stored({ merged: true });
    const whole = inDatabase(path, (db) => db.prepare("SELECT data FROM documents").pluck().get());
    const { server, visitor: early } = await visit(url);
    // In a room of its own, which must not suffer.
    const bystander = await connect({ url: server.url, name: "other" }).synced();
    await early.synced();
    early.leave();
    await server.ended("SIGKILL");
    bystander.leave();

    damage(path);
    const { visitor } = await visit(url);
    expect(await visitor.closedWith(4501)).toEqual({ code: 4501, reason: "storage-unavailable" });
    expect([visitor.provider.synced, visitor.denials, visitor.tasks.size]).toEqual([false, [], 0]);

    inDatabase(path, (db) => db.prepare("UPDATE documents SET data = ?").run(whole));
    await visitor.synced();
    expect([...visitor.tasks.keys()].toSorted()).toEqual([MARK, "the-second-task"].toSorted());
  },
);

test("[S6] a snapshot that a stock server wrote after ours is not measured by our checksum", async () => {
  const { path, url } = await stored({ merged: true });
  inDatabase(path, (db) => {
    const count = db.prepare("SELECT count(*) FROM snapshot_sums").pluck();
    expect(count.get()).toBe(1);
    db.exec("UPDATE documents SET data = data");
    expect(count.get()).toBe(0);
  });
  await (await visit(url)).visitor.synced();
});
