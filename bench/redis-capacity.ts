/**
 * `npm run bench:redis-capacity`: what one Redis can pass on. Publishes of the size of an edit, at a rate that leaves nobody waiting, to
 * channels with so many subscribers each; the CPU of Redis alone is counted, so that a busy machine changes it little.
 */
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Redis } from "ioredis";
import { cpuMicros } from "./proc.ts";
import { startRedis } from "./redis.ts";

const CHANNELS = 1_000;
const SECONDS = 4;

/** What an edit of the bench is in its envelope, bytes. */
const PAYLOAD = Buffer.alloc(110, 1);

const { values } = parseArgs({
  options: {
    subscribers: { type: "string", default: "1,2,3,5,10" },
    "per-write": { type: "string", default: "1,10" },
    rate: { type: "string", default: "4000" },
  },
});
const rate = Number(values.rate);

console.log(`${rate} publishes/s of ${PAYLOAD.byteLength} bytes, ${CHANNELS} channels, ${SECONDS} s each\n`);
console.log(
  "| subscribers of a channel | publishes in a write | CPU µs/publish | publishes/s a core takes |",
);
console.log("|---|---|---|---|");
for (const perWrite of values["per-write"].split(",").map(Number))
  for (const subscribers of values.subscribers.split(",").map(Number))
    // One after the other, each alone on the machine.
    // oxlint-disable-next-line no-await-in-loop
    console.log(await measure({ subscribers, perWrite }));
process.exit(0);

async function measure({
  subscribers,
  perWrite,
}: {
  subscribers: number;
  perWrite: number;
}): Promise<string> {
  const redis = await startRedis();
  const speaker = new Redis(redis.url);
  const listeners = Array.from({ length: subscribers }, () => new Redis(redis.url));
  const channels = Array.from({ length: CHANNELS }, (_, n) => `righttask:room-${n}`);
  await Promise.all(listeners.map(async (listener) => listener.subscribe(...channels)));
  const before = cpuMicros(redis.pid);
  const startedAt = performance.now();
  let sent = 0;
  while (performance.now() - startedAt < SECONDS * 1_000) {
    const due = ((performance.now() - startedAt) / 1_000) * rate;
    while (sent + perWrite <= due) {
      const pipeline = speaker.pipeline();
      for (let n = 0; n < perWrite; n += 1, sent += 1)
        pipeline.publish(channels[sent % CHANNELS] ?? "", PAYLOAD);
      // Each in a write of its own, as from many instances.
      // oxlint-disable-next-line no-await-in-loop
      await pipeline.exec();
    }
    // oxlint-disable-next-line no-await-in-loop
    await delay(1);
  }
  const micros = (cpuMicros(redis.pid) - before) / sent;
  for (const connection of [speaker, ...listeners]) connection.disconnect();
  await redis.stop();
  return `| ${subscribers} | ${perWrite} | ${micros.toFixed(1)} | ${Math.round(1e6 / micros)} |`;
}
