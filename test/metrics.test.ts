/** What Prometheus reads. */
import { expect, test } from "vitest";
import { Metrics } from "../lib/metrics.ts";
import { connect } from "./support/client.ts";
import { startComposition } from "./support/composition.ts";
import { refusedUpgrade } from "./support/raw-client.ts";

const sources = {
  connections: () => 3,
  rooms: () => 2,
  roomsBytes: () => 3,
  usage: () => ({ unauthenticated: 1, waitingBytes: 5, bufferedBytes: 6, mostBufferedBytes: 4 }),
  unsavedBytes: () => 7,
  commits: () => 8,
  hookFailures: () => 9,
  backend: () => ({ underWay: 10, answers: { admitted: 11, refused: 0, none: 12 } }),
};

async function values(metrics: Metrics): Promise<Record<string, number>> {
  const lines = (await metrics.text()).split("\n").filter((line) => line && !line.startsWith("#"));
  return Object.fromEntries(
    lines.map((line) => {
      const space = line.lastIndexOf(" ");
      return [line.slice(0, space), Number(line.slice(space + 1))];
    }),
  );
}

test("[M14] states are asked for, counts are kept, and rooms are named up to twenty", async () => {
  const metrics = new Metrics(sources);
  for (let i = 0; i < 25; i++) metrics.slow(`room ${i}`);
  metrics.slow("room 1");
  for (const type of [0, 0, 1, 12_345]) metrics.message(type);
  metrics.refused("room-full");
  const read = await values(metrics);
  metrics.stop();
  expect(read).toMatchObject({
    righttask_connections: 3,
    righttask_unauthenticated_connections: 1,
    righttask_rooms: 2,
    righttask_waiting_bytes: 5,
    righttask_buffered_bytes: 6,
    righttask_most_buffered_bytes: 4,
    righttask_unsaved_bytes: 7,
    righttask_commits_total: 8,
    righttask_hook_failures_total: 9,
    righttask_backend_questions: 10,
    'righttask_backend_answers_total{answer="admitted"}': 11,
    'righttask_backend_answers_total{answer="none"}': 12,
    'righttask_messages_total{type="Sync"}': 2,
    'righttask_messages_total{type="Awareness"}': 1,
    'righttask_messages_total{type="unknown"}': 1,
    'righttask_refusals_total{reason="room-full"}': 1,
    'righttask_slow_messages_total{room="room 1"}': 2,
    'righttask_slow_messages_total{room="(other)"}': 5,
  });
  expect(Object.keys(read).filter((name) => name.startsWith("righttask_slow"))).toHaveLength(21);
  expect(read['righttask_event_loop_delay_seconds{quantile="0.99"}']).toBeGreaterThanOrEqual(0);
});

test("[M14] two servers in one process count apart", async () => {
  const [busy, idle] = [await startComposition({ MAX_CONNECTIONS: "1" }), await startComposition()];
  const client = await connect({ url: busy.url, name: "room" }).saved();
  client.text.insert(0, "x");
  await client.saved();
  await refusedUpgrade(busy.url);
  expect(await values(busy.metrics)).toMatchObject({
    righttask_connections: 1,
    righttask_unauthenticated_connections: 0,
    righttask_rooms: 1,
    righttask_unsaved_bytes: 0,
    righttask_commits_total: 1,
    'righttask_messages_total{type="Auth"}': 1,
    'righttask_refusals_total{reason="http-503"}': 1,
  });
  expect(await values(idle.metrics)).toMatchObject({ righttask_connections: 0, righttask_rooms: 0 });
});
