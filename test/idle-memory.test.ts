/** What a quiet connection costs: whatever each socket gets of its own, ten thousand have. */
import { expect, test } from "vitest";
import { measure } from "../bench/measurement.ts";

const CONNECTIONS = 2000;

/**
 * It was 10.5 to 11.0 kB when this was written, 0.8 of it a share in what a server compiles for its first connections; an upgrade request that is
 * kept with each makes it 11.7 and more. The heap after a collection does not depend on what else the machine does. If this fails, bench/README.md
 * says what it was made of.
 */
const MAX_HEAP_BYTES = 11_500;

test("a quiet connection takes no more of the heap than it did", { timeout: 120_000 }, async () => {
  const name = `idle${CONNECTIONS}`;
  const measurement = await measure({
    peer: "ours",
    scenario: { kind: "idle", name, rooms: CONNECTIONS / 10, connectionsPerRoom: 10 },
    round: 1,
    instances: 1,
    warmUpMs: 0,
    measuredMs: 0,
  });
  if (measurement.kind !== "idle") throw new Error("Measured something else");
  expect(measurement.idle.heapBytesPerConnection).toBeLessThan(MAX_HEAP_BYTES);
});
