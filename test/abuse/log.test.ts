/** Who makes the server write its log full. */
import { expect, test } from "vitest";
import { startComposition } from "../support/composition.ts";
import { refusedUpgrade } from "../support/raw-client.ts";

test("[M15] three hundred refused upgrades are about a hundred lines, and the next one says how many there were", async () => {
  const server = await startComposition({ ALLOWED_ORIGINS: "https://app.example" });
  const refuse = (): Promise<unknown> => refusedUpgrade(server.url, { origin: "https://evil.example" });
  for (let i = 0; i < 300; i++) await refuse();
  const lines = (): readonly { readonly [field: string]: unknown }[] => server.log.events("upgrade-refused");
  expect(lines().length).toBeGreaterThanOrEqual(100);
  expect(lines().length).toBeLessThan(250);
  // Until it is time for the next line.
  const last = lines().length;
  let refused = 300;
  while (lines().length === last) {
    await refuse();
    refused++;
  }
  const omitted = lines().reduce((sum, line) => sum + ((line["omitted"] as number | undefined) ?? 0), 0);
  expect(omitted + lines().length).toBe(refused);
});
