import { inspect } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { Journal } from "../../storage/journal.ts";
import type { PostgresOptions } from "../../storage/postgres-pool.ts";
import { openPostgresStore } from "../../storage/postgres-store.ts";
import { StorageError, type Store } from "../../storage/store.ts";
import { ThreadedStore } from "../../storage/threaded-store.ts";
import { PASSWORD } from "../support/postgres-cluster.ts";
import { connectTo, usePostgres } from "../support/postgres.ts";
import { until } from "../support/until.ts";
import { storeContract, textOf, Writer } from "./store-contract.ts";

const postgres = usePostgres();
const newPlace = (): string => postgres.newDatabase();

const IMPATIENT = { connectMs: 1000, statementMs: 1000, answerMs: 1000, lockMs: 200 };

function opened(url: string, options: PostgresOptions = {}): Store {
  const store = openPostgresStore(url, options);
  onTestFinished(() => store.close());
  return store;
}

// First: each database that the tests below make is more to recover.
for (const how of ["kill", "stop"] as const) {
  test(`[S1] [S13] after a ${how} of Postgres in the middle saving goes on, and nothing that was saved is lost`, async () => {
    const url = newPlace();
    const store = new ThreadedStore({ databaseUrl: url });
    const writer = new Writer();
    let troubles = 0;
    let saved = "";
    const events = {
      onSaved: () => {},
      onTrouble: () => void (troubles += 1),
      onRecovered: () => {},
      onFull: () => {},
    };
    const journal = new Journal({ store, maxUnsavedBytes: Infinity, events });
    onTestFinished(async () => {
      await journal.settled();
      await store.close();
    });
    let typed = "";
    const type = (): void => {
      const letter = String.fromCharCode(97 + (typed.length % 26));
      const now = (typed += letter);
      journal.append(writer.insert("room", letter));
      journal.whenSaved("room", { saved: () => (saved = now) });
    };
    for (let round = 1; round <= 3; round++) {
      const before = saved.length;
      await until("some edits are saved", () => {
        type();
        return saved.length > before + 5;
      });
      const gone = postgres[how]();
      type();
      await gone;
      await until("an append failed", () => {
        type();
        return troubles >= round;
      });
      const savedBefore = saved;
      await postgres.start();
      expect(textOf(await opened(url).load("room")).startsWith(savedBefore)).toBe(true);
      await journal.settled();
      troubles = round;
    }
    expect(saved).toBe(typed);
    expect(textOf(await store.load("room"))).toBe(typed);
  });
}

storeContract("Postgres", { durable: true, newPlace, open: openPostgresStore });
storeContract("Postgres in the worker", {
  durable: true,
  newPlace,
  open: (databaseUrl) => new ThreadedStore({ databaseUrl }),
});

test("[S1] a commit is synchronous to the disk, whatever the database has set", async () => {
  const url = newPlace();
  const store = opened(url);
  await store.check();
  await postgres.query(
    url,
    `CREATE TABLE seen (setting text);
     CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN INSERT INTO seen VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$;
     CREATE TRIGGER see AFTER INSERT ON journal EXECUTE FUNCTION see();
     DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off', current_database()); END $$`,
  );
  await opened(url).append([new Writer().insert("room", "a")]);
  expect(await postgres.query(url, "SELECT setting FROM seen")).toEqual([{ setting: "on" }]);
  expect(await postgres.query(url, "SHOW synchronous_commit")).toEqual([{ synchronous_commit: "off" }]);
});

test("[S9] every journal row has its time and its author", async () => {
  const url = newPlace();
  await opened(url).append([{ ...new Writer().insert("room", "a"), at: 1_700_000_000_000, author: "ben" }]);
  expect(await postgres.query(url, "SELECT at::float8, author FROM journal")).toEqual([
    { at: 1_700_000_000_000, author: "ben" },
  ]);
});

test("[S13] an author with a character that Postgres cannot hold stops nobody's edits", async () => {
  const url = newPlace();
  const store = opened(url);
  await store.append([{ ...new Writer().insert("room", "safe"), author: "be\0n \u{1F3E0}" }]);
  expect(textOf(await store.load("room"))).toBe("safe");
  expect(await postgres.query(url, "SELECT author FROM journal")).toEqual([
    { author: "be\uFFFDn \u{1F3E0}" },
  ]);
});

test("[S13] a batch too large for one statement is appended as a whole and in order, or not at all", async () => {
  let inserts = Number.POSITIVE_INFINITY;
  const store = opened(newPlace(), {
    onStatement: (sql) => {
      if (sql.startsWith("INSERT INTO journal") && ++inserts === 3) throw new Error("cut off");
    },
  });
  const writer = new Writer();
  const parts = ["a", "b", "c"].map((letter) => letter.repeat(3_000_000));
  const batch = parts.map((part) => writer.insert("room", part));
  inserts = 0;
  await expect(store.append(batch)).rejects.toThrow("cut off");
  expect((await store.load("room")).updates).toEqual([]);
  await store.append(batch);
  expect(inserts).toBe(6);
  const { updates } = await store.load("room");
  expect(updates.map(({ byteLength }) => byteLength)).toEqual(batch.map(({ update }) => update.byteLength));
  expect(textOf(await store.load("room"))).toBe(parts.join(""));
});

test("[S13] a frozen Postgres holds nothing up for longer than the timeout, and works again afterwards", async () => {
  const store = opened(newPlace(), { timeouts: IMPATIENT });
  const writer = new Writer();
  await store.append([writer.insert("room", "a")]);
  const batch = [writer.insert("room", "b")];
  postgres.freeze();
  const startedAt = performance.now();
  // The first on the connection that is open, the others on new ones, to which nobody answers either.
  await expect(store.append(batch)).rejects.toThrow(StorageError);
  await expect(store.append(batch)).rejects.toThrow(StorageError);
  await expect(store.load("room")).rejects.toThrow(StorageError);
  expect(performance.now() - startedAt).toBeLessThan(5 * IMPATIENT.answerMs);
  postgres.thaw();
  await store.append(batch);
  expect(textOf(await store.load("room"))).toBe("ab");
});

test("[S13] a store closes while Postgres is frozen, and leaves no connection", async () => {
  const url = newPlace();
  const store = openPostgresStore(url, { timeouts: IMPATIENT });
  await store.check();
  postgres.freeze();
  await store.close();
  await expect(store.check()).rejects.toThrow(StorageError);
  const sockets = (): string[] => process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap");
  await until("no socket is left", () => sockets().length === 0);
});

test("[S13] what was cut off between two statements, or while idle, is replaced at the next request", async () => {
  const url = newPlace();
  const store = opened(url);
  const writer = new Writer();
  await store.append([writer.insert("room", "a")]);
  await postgres.terminateBackends(url);
  await until("an append on a new connection", () =>
    store.append([writer.insert("room", "b")]).then(
      () => true,
      () => false,
    ),
  );
  expect(textOf(await store.load("room"))).toBe("ab");
});

test("[S13] a lock that somebody else holds is waited for in bounded time", async () => {
  const url = newPlace();
  const store = opened(url, { timeouts: IMPATIENT });
  await store.append([new Writer().insert("room", "a")]);
  const other = await connectTo(url);
  onTestFinished(() => other.end());
  await other.query("BEGIN; LOCK TABLE journal IN ACCESS EXCLUSIVE MODE");
  await expect(store.append([new Writer().insert("room", "b")])).rejects.toThrow("lock timeout");
});

test("[S13] a statement that takes too long is stopped by Postgres itself", async () => {
  const url = newPlace();
  const store = opened(url, { timeouts: { statementMs: 200 } });
  await store.check();
  const other = await connectTo(url);
  onTestFinished(() => other.end());
  await other.query("BEGIN; LOCK TABLE journal IN ACCESS EXCLUSIVE MODE");
  await expect(store.load("room")).rejects.toThrow("statement timeout");
});

test("[S13] an append whose answer was lost may be repeated", async () => {
  const url = newPlace();
  const store = opened(url, { timeouts: { answerMs: 300 } });
  await store.check();
  await postgres.query(
    url,
    `CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(1); RETURN NULL; END $$;
     CREATE TRIGGER dawdle AFTER INSERT ON journal EXECUTE FUNCTION dawdle()`,
  );
  const batch = [new Writer().insert("room", "a")];
  await expect(store.append(batch)).rejects.toThrow(StorageError);
  // Waits for the commit of the append that was given up.
  await postgres.query(url, "DROP TRIGGER dawdle ON journal");
  await store.append(batch);
  const { updates } = await store.load("room");
  expect(updates).toHaveLength(2);
  expect(textOf({ snapshot: null, updates })).toBe("a");
});

test("[S13] an instance that stands still in the middle of a compaction does not hold up another one for long", async () => {
  const url = newPlace();
  const { promise: goOn, resolve } = Promise.withResolvers<void>();
  const reached = Promise.withResolvers<void>();
  const stuck = opened(url, {
    timeouts: { idleInTransactionMs: 200 },
    onStatement: (sql) => {
      if (!sql.startsWith("DELETE FROM journal")) return undefined;
      reached.resolve();
      return goOn;
    },
  });
  await stuck.append([new Writer().insert("room", "a")]);
  const compaction = stuck.compact("room").catch((error: unknown) => error);
  await reached.promise;
  const other = opened(url);
  expect(await other.compact("room")).toMatchObject({ rows: 1 });
  resolve();
  expect(await compaction).toBeInstanceOf(StorageError);
  expect(textOf(await other.load("room"))).toBe("a");
});

test("[S13] two stores that compact the same room at once lose nothing and double nothing", async () => {
  for (const compactedBefore of [false, true]) {
    const url = newPlace();
    const bothHaveRead = barrier(2);
    const pausing = {
      onStatement: (sql: string) => (sql === "BEGIN" && racing ? bothHaveRead() : undefined),
    };
    let racing = false;
    const stores = [opened(url, pausing), opened(url, pausing)] as const;
    const writer = new Writer();
    let text = "";
    const type = (letters: string): Promise<void> => {
      text += letters;
      return stores[0].append(letters.split("").map((letter) => writer.insert("room", letter)));
    };
    await type("ab");
    await stores[1].check();
    if (compactedBefore) await stores[1].compact("room");
    await type("cd");
    racing = true;
    const done = await Promise.all(stores.map((store) => store.compact("room")));
    expect(done.map(({ rows }) => rows).toSorted()).toEqual([0, compactedBefore ? 2 : 4]);
    expect(await stores[1].load("room")).toMatchObject({ updates: [] });
    expect(textOf(await stores[1].load("room"))).toBe(text);
  }
});

test("[S13] a row that is committed late, with a lower number, survives the compaction that did not see it", async () => {
  const url = newPlace();
  const writer = new Writer();
  const [late, early] = [writer.insert("room", "a"), writer.insert("room", "b")];
  const slow = await connectTo(url);
  onTestFinished(() => slow.end());
  const store = opened(url, {
    onStatement: async (sql) => {
      // The compaction has read, and not yet deleted.
      if (sql === "BEGIN" && compacting) await slow.query("COMMIT");
    },
  });
  let compacting = false;
  await store.check();
  await slow.query("BEGIN");
  await slow.query("INSERT INTO journal (name, data, at, author) VALUES ('room', $1, 0, 'ana')", [
    late.update,
  ]);
  await store.append([early]);
  compacting = true;
  expect(await store.compact("room")).toMatchObject({ rows: 1 });
  expect((await store.load("room")).updates).toHaveLength(1);
  expect(textOf(await store.load("room"))).toBe("ab");
});

test("[S13] a backend that ends at any statement of a compaction changes nothing that can be seen", async () => {
  const url = newPlace();
  const writer = new Writer();
  const broken = writer.insert("room", "a");
  await opened(url).append([broken]);
  await opened(url).compact("room");
  const damaged = { ...broken, update: broken.update.subarray(0, -3) };
  await opened(url).append([writer.insert("room", "b"), damaged, writer.insert("room", "c")]);
  const cutAt: string[] = [];
  for (let statement = 0; ; statement++) {
    let left = Number.POSITIVE_INFINITY;
    const store = opened(url, {
      onStatement: async (sql) => {
        if (left-- !== 0) return;
        cutAt.push(sql);
        await postgres.terminateBackends(url);
      },
    });
    await store.check();
    left = statement;
    const result = await store.compact("room").catch((error: unknown) => error);
    if (!(result instanceof StorageError)) {
      expect(result).toMatchObject({ rows: 2, unreadable: [{ reason: expect.stringContaining("decode") }] });
      break;
    }
    expect(await postgres.query(url, "SELECT count(*)::int AS rows FROM journal")).toEqual([{ rows: 3 }]);
    expect(await postgres.query(url, "SELECT count(*)::int AS rows FROM quarantine")).toEqual([{ rows: 0 }]);
  }
  expect(cutAt.map((sql) => sql.trim().split(" ", 1)[0])).toEqual([
    "SELECT",
    "BEGIN",
    "SELECT",
    "WITH",
    "DELETE",
    "INSERT",
    "COMMIT",
  ]);
  expect(textOf(await opened(url).load("room"))).toBe("abc");
  expect(await postgres.query(url, "SELECT name FROM quarantine")).toEqual([{ name: "room" }]);
});

test("[S10] a row whose bytes are not the ones that were written is set aside", async () => {
  const url = newPlace();
  const store = opened(url);
  await store.append([new Writer().insert("room", "aaaa")]);
  await postgres.query(url, "UPDATE journal SET data = set_byte(data, length(data) - 3, 98)");
  expect(await store.load("room")).toMatchObject({
    updates: [],
    unreadable: [{ reason: "its checksum does not match" }],
  });
  expect(await postgres.query(url, "SELECT name, author FROM quarantine")).toEqual([
    { name: "room", author: "ana" },
  ]);
});

test("[S10] where an unreadable row cannot be moved the room loads without it", async () => {
  const url = newPlace();
  const store = opened(url);
  const writer = new Writer();
  const entry = writer.insert("room", "a");
  await store.append([entry, { ...entry, update: entry.update.subarray(0, -3) }]);
  await postgres.query(url, "DROP TABLE quarantine");
  const loaded = await store.load("room");
  expect(textOf(loaded)).toBe("a");
  expect(loaded.unreadable).toHaveLength(1);
});

test("[S13] instances that start together create the tables once", async () => {
  const url = newPlace();
  const bothFoundNone = barrier(2);
  const onStatement = (sql: string): Promise<void> | undefined =>
    sql === "BEGIN" ? bothFoundNone() : undefined;
  await Promise.all([opened(url, { onStatement }).check(), opened(url, { onStatement }).check()]);
  expect(await postgres.query(url, "SELECT version FROM collab_schema")).toEqual([{ version: 2 }]);
});

test("[S13] a migration that was cut off is begun again at the next request", async () => {
  const url = newPlace();
  let cuts = 0;
  const store = opened(url, {
    onStatement: async (sql) => {
      if (sql.startsWith("INSERT INTO collab_schema") && cuts++ === 0) await postgres.terminateBackends(url);
    },
  });
  await expect(store.check()).rejects.toThrow(StorageError);
  await store.append([new Writer().insert("room", "a")]);
  expect(textOf(await store.load("room"))).toBe("a");
});

test("[S13] a database that a newer version has written is refused", async () => {
  const url = newPlace();
  await opened(url).append([new Writer().insert("room", "a")]);
  await postgres.query(url, "UPDATE collab_schema SET version = 99");
  const store = opened(url);
  await expect(store.append([new Writer().insert("room", "b")])).rejects.toThrow(
    "The database has schema version 99, written by a newer version of this server; this one knows 2",
  );
  await expect(store.check()).rejects.toThrow(StorageError);
});

test("[S13] a check fails while the database is read-only, and tries a new connection each time", async () => {
  const url = newPlace();
  const store = opened(url);
  await store.check();
  const set = (value: string): string =>
    `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = ${value}', current_database()); END $$`;
  await postgres.query(url, set("on"));
  const standby = opened(url);
  await expect(standby.check()).rejects.toThrow("read-only");
  await expect(standby.append([new Writer().insert("room", "a")])).rejects.toThrow("read-only");
  await postgres.query(url, `BEGIN READ WRITE; ${set("off")}; COMMIT`);
  await expect(standby.check()).resolves.toBeUndefined();
});

test("[S13] a database that cannot hold every character is refused", async () => {
  const place = newPlace();
  // Not dropped: that flushes all databases to the disk, which may take many seconds. It goes with the server.
  await postgres.query(place, "CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0");
  await expect(opened(place.replace(/[^/]+$/, "latin")).check()).rejects.toThrow("encoding LATIN1");
});

test("[S13] no error says the password", async () => {
  const url = newPlace();
  const wrong = new URL(url);
  wrong.password = "hunter2%40wrong";
  const nobodyThere = new URL(url);
  // Two addresses on most machines, so that the error is one of two errors.
  nobodyThere.hostname = "localhost";
  nobodyThere.port = "1";
  // A host name of which the resolver's error repeats what it was asked for.
  const inHost = new URL(url);
  inHost.host = `${encodeURIComponent("hunter2").toLowerCase()}.invalid`;
  inHost.password = "hunter2";
  for (const address of [wrong, nobodyThere, inHost].map(String)) {
    for (const store of [opened(address), new ThreadedStore({ databaseUrl: address })]) {
      const error = await store.check().catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(StorageError);
      expect((error as Error).message).toMatch(/^(Postgres|.*: Postgres): .+/);
      expect((error as Error).message).not.toMatch(/hunter2/);
      expect(inspect(error, { depth: 1 })).not.toContain(PASSWORD);
      expect(inspect(error, { depth: 1 })).not.toContain(encodeURIComponent(PASSWORD));
      if (store instanceof ThreadedStore) await store.close();
    }
  }
});

test("[S13] an error that is made of several says each of them", async () => {
  const store = opened(newPlace(), {
    // As for a host name with two addresses.
    onStatement: () => {
      throw new AggregateError([new Error("nobody at ::1"), new Error("nobody at 127.0.0.1")]);
    },
  });
  await expect(store.check()).rejects.toThrow("Postgres: nobody at ::1, nobody at 127.0.0.1");
});

/** A function of which `count` calls wait for each other; later ones do not wait. */
function barrier(count: number): () => Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let arrived = 0;
  return () => {
    if (++arrived === count) resolve();
    return promise;
  };
}
