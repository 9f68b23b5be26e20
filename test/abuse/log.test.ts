/** Who makes the server write its log full. */
import { expect, test } from "vitest";
import { ClientLines } from "../../lib/client-lines.ts";
import { closeReasons } from "../../lib/close-reasons.ts";
import { Refusal } from "../../lib/refusal.ts";
import { captureLog } from "../support/captured-log.ts";
import { startComposition } from "../support/composition.ts";
import { RawClient, refusedUpgrade } from "../support/raw-client.ts";

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

test("[M15] a kind is a level, an event and a reason: a flood of one hides no line of another", () => {
  const { log, lines } = captureLog();
  const clientLines = new ClientLines(log);
  const flood = { event: "refused", reason: "server-busy" };
  for (let i = 0; i < 150; i++) clientLines.write("warn", flood, "Refused");
  const others = [
    ["debug", flood],
    ["warn", { ...flood, event: "upgrade-refused" }],
    ["warn", { ...flood, reason: "room-full" }],
  ] as const;
  const before = lines.length;
  for (const [level, fields] of others) clientLines.write(level, fields, "Another");
  expect(lines.slice(before)).toMatchObject(others.map(([, fields]) => fields));
  expect(lines.length).toBeLessThan(150);
});

test("[M15] the cause of a refusal is bounded as well, for each reason by itself", async () => {
  const server = await startComposition({}, [
    {
      async onAuthenticate({ token }: { token: string }): Promise<void> {
        if (token === "final") throw new Refusal(closeReasons.roomForbidden);
        throw new Refusal(token === "crowd" ? closeReasons.serverBusy : closeReasons.authUnavailable);
      },
    },
  ]);
  const causes = (reason: string): number =>
    server.log.events("refusal-cause").filter((line) => line["reason"] === reason).length;
  const logIn = async (token: string): Promise<void> => {
    for (let socket = 0; socket < 3; socket++) {
      const client = await new RawClient(server.url).opened();
      for (let room = 0; room < 90; room++) client.login(`room-${room}`, { token });
      await client.caughtUp();
    }
  };
  await logIn("final");
  await logIn("crowd");
  expect(causes("server-busy")).toBeGreaterThanOrEqual(100);
  expect(causes("server-busy")).toBeLessThan(250);
  const one = await new RawClient(server.url).opened();
  one.login("room", { token: "ana" });
  expect((await one.closed()).code).toBe(4502);
  expect(causes("auth-unavailable")).toBe(1);
});
