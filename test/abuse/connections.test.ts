/** Who opens more sockets than one address should. */
import { expect, test } from "vitest";
import { addressGroup } from "../../limits/address-group.ts";
import { startComposition } from "../support/composition.ts";
import { RawClient, refusedUpgrade } from "../support/raw-client.ts";
import { until } from "../support/until.ts";
import { Bystanders } from "./bystanders.ts";

const from = (address: string): { headers: Record<string, string> } => ({
  headers: { "X-Forwarded-For": address },
});

test.for([
  ["192.0.2.1", "192.0.2.1"],
  ["::ffff:192.0.2.1", "192.0.2.1"],
  ["::ffff:c000:201", "192.0.2.1"],
  ["192.0.2.1:4711", "192.0.2.1"],
  ["2001:db8:1:2::1", "2001:db8:1:2::/64"],
  ["2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"],
  ["2001:DB8:1:2::1", "2001:db8:1:2::/64"],
  ["2001:db8:1:3::1", "2001:db8:1:3::/64"],
  ["[2001:db8:1:2::1]:4711", "2001:db8:1:2::/64"],
  ["[2001:db8:1:2::1]", "2001:db8:1:2::/64"],
  ["fe80::1%eth0", "fe80:0:0:0::/64"],
  ["::1", "0:0:0:0::/64"],
  ["unknown", "unknown"],
  ["", "unknown"],
  ["_hidden", "unknown"],
  ["192.0.2.1.5", "unknown"],
] as const)("[M1] %s counts as %s", ([address, group]) => {
  expect(addressGroup(address)).toBe(group);
});

test("[M1] one address has so many sockets, others are not affected, and what closes is given back", async () => {
  const server = await startComposition({ MAX_CONNECTIONS_PER_IP: "5", TRUST_PROXY: "1" });
  const bystanders = await Bystanders.join(server.url);
  const { addresses } = server.usage();
  await bystanders.during(
    (async () => {
      const clients = await Promise.all(
        [1, 2, 3, 4, 5].map((host) => new RawClient(server.url, from(`2001:db8:0:1::${host}`)).opened()),
      );
      const refused = await refusedUpgrade(server.url, from("2001:db8:0:1:aaaa::1"));
      expect(refused).toMatchObject({ status: 429, headers: { "retry-after": "10" } });
      // What the client wrote itself is left of what the proxy saw.
      expect((await refusedUpgrade(server.url, from("203.0.113.9, 2001:db8:0:1::9"))).status).toBe(429);
      expect(server.log.events("upgrade-refused").map((line) => line.msg)).toEqual(
        Array.from({ length: 2 }, () => expect.stringContaining("MAX_CONNECTIONS_PER_IP")),
      );
      await new RawClient(server.url, from("2001:db8:0:2::1")).opened();
      clients[0]?.socket.terminate();
      await until("a place", async () => {
        const next = new RawClient(server.url, from("2001:db8:0:1::7"));
        return next.opened().catch(() => null);
      });
      for (const client of clients) client.socket.terminate();
    })(),
  );
  await until("nothing left", () => server.usage().addresses <= addresses + 2);
});

test("[M2] a proxy that TRUST_PROXY does not know is said once", async () => {
  const server = await startComposition();
  for (const address of ["192.0.2.1", "192.0.2.2"]) await new RawClient(server.url, from(address)).opened();
  expect(server.log.events("proxy-not-trusted")).toHaveLength(1);
  expect(server.usage().addresses).toBe(1);
  const behindProxy = await startComposition({ TRUST_PROXY: "1" });
  await new RawClient(behindProxy.url, from("192.0.2.1")).opened();
  expect(behindProxy.log.events("proxy-not-trusted")).toEqual([]);
});
