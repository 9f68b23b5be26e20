/**
 * Saved means saved: the server is killed the moment a client is told so. Each round the writer and all it knew are gone before the
 * server starts again, so that nobody can bring the edit back but the disk.
 */
import { expect, test } from "vitest";
import { Client } from "./support/client.ts";
import { startProcess } from "./support/server-process.ts";
import { tempDatabase } from "./support/temp-dir.ts";
import { until } from "./support/until.ts";

const ROUNDS = 20;
const ROOMS = 4;
/** Each round acknowledges at least this many edits a room before the kill. */
const EDITS_BEFORE_KILL = 12;

test(`[S1] an acknowledged edit survives kill -9 at the ack: ${ROUNDS} kills, ${ROOMS} writers`, async () => {
  const { url } = tempDatabase();
  const acknowledged = new Map<string, Set<string>>();

  for (let round = 0; round < ROUNDS; round++) {
    const server = await startProcess({ DATABASE_URL: url });
    const writers = await Promise.all(
      Array.from({ length: ROOMS }, (_, index) =>
        new Client({ url: server.url, name: `room-${index}` }).saved(),
      ),
    );
    expect(missing(writers, acknowledged)).toEqual([]);

    let killed = false;
    writers.forEach((writer, index) => {
      const room = `room-${index}`;
      const saved = acknowledged.get(room) ?? new Set();
      acknowledged.set(room, saved);
      let next = 0;
      const edit = (): void => void writer.tasks.set(`${round}.${next++}`, `edit ${next} of ${room}`);
      writer.provider.on("unsyncedChanges", ({ number }: { number: number }) => {
        if (killed || number > 0) return;
        saved.add(`${round}.${next - 1}`);
        // In the very callback that tells the user, by the writer that got furthest.
        if (next === EDITS_BEFORE_KILL + index) {
          killed = true;
          server.kill("SIGKILL");
        } else edit();
      });
      edit();
    });
    await until("the kill", () => killed);
    await server.ended();
    for (const writer of writers) writer.leave();
  }

  const server = await startProcess({ DATABASE_URL: url });
  const readers = await Promise.all(
    Array.from({ length: ROOMS }, (_, index) =>
      new Client({ url: server.url, name: `room-${index}` }).saved(),
    ),
  );
  expect(missing(readers, acknowledged)).toEqual([]);
  const total = [...acknowledged.values()].reduce((sum, edits) => sum + edits.size, 0);
  expect(total).toBeGreaterThanOrEqual(200);
  for (const reader of readers) reader.leave();
}, 120_000);

/** Acknowledged edits that a client, fresh from the store, does not see. */
function missing(
  clients: readonly Client[],
  acknowledged: ReadonlyMap<string, ReadonlySet<string>>,
): string[] {
  return clients.flatMap((client) => {
    const room = client.provider.configuration.name;
    return [...(acknowledged.get(room) ?? [])]
      .filter((key) => !client.tasks.has(key))
      .map((key) => `${room}/${key}`);
  });
}
