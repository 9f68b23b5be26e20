/** Strangers: sockets on which nobody logs in, and what they send all the same. */
import { MessageType } from "@hocuspocus/server";
import { expect, test } from "vitest";
import { WaitingBytes } from "../../limits/waiting-bytes.ts";
import { WaitingShare } from "../../limits/waiting-share.ts";
import { Heartbeat } from "../../transport/heartbeat.ts";
import { maxUnauthenticated } from "../../limits/connection-counts.ts";
import { MAX_WAITING_BYTES_IN_ALL } from "../../limits/waiting-bytes.ts";
import { startComposition } from "../support/composition.ts";
import { RawClient, refusedUpgrade } from "../support/raw-client.ts";
import { until } from "../support/until.ts";
import { Bystanders } from "./bystanders.ts";

const MEGABYTE = 1024 * 1024;

test.for([
  [1, 1],
  [50, 50],
  [150, 100],
  [201, 101],
  [15_000, 7500],
] as const)("[M8] of %i connections %i may be strangers", ([connections, strangers]) => {
  expect(maxUnauthenticated(connections)).toBe(strangers);
});

test("[M8] strangers take half of the places at most, whoever is in stays, and who logs in makes place", async () => {
  const server = await startComposition({ MAX_CONNECTIONS: "150" });
  const bystanders = await Bystanders.join(server.url);
  expect(server.usage().unauthenticated).toBe(0);
  await bystanders.during(
    (async () => {
      const strangers = await Promise.all(
        Array.from({ length: 100 }, () => new RawClient(server.url).opened()),
      );
      expect(await refusedUpgrade(server.url)).toMatchObject({
        status: 503,
        headers: { "retry-after": "2" },
      });
      await strangers[0]?.inside("room");
      await new RawClient(server.url).opened();
      expect(server.usage().unauthenticated).toBe(100);
      for (const { socket } of strangers) socket.terminate();
      await until("gone", () => server.usage().unauthenticated === 1);
    })(),
  );
});

test.for(["strangers", "people who are in another room already"])(
  "[M9] what %s send before a login is answered is bounded for all sockets together, and given back",
  { timeout: 60_000 },
  async (senders) => {
    const answer = Promise.withResolvers<void>();
    const backend = {
      async onAuthenticate({ documentName }: { documentName: string }): Promise<void> {
        if (documentName === "asked") await answer.promise;
      },
    };
    const server = await startComposition({}, [backend]);
    const bystanders = await Bystanders.join(server.url);
    const strangers = await bystanders.during(
      (async () => {
        const clients = await Promise.all(
          Array.from({ length: 20 }, () => new RawClient(server.url).opened()),
        );
        if (senders !== "strangers") await Promise.all(clients.map((client) => client.inside("lobby")));
        for (const client of clients) {
          client.login("asked");
          for (let i = 0; i < 4; i++) client.update("asked", Buffer.alloc(MEGABYTE));
        }
        const busy = await until("one too many", () => clients.find(({ close }) => close?.code === 1013));
        expect(busy.close).toEqual({ code: 1013, reason: "server-busy" });
        return clients;
      })(),
    );
    expect(server.usage().waitingBytes).toBeLessThanOrEqual(MAX_WAITING_BYTES_IN_ALL);
    expect(server.log.events("refused").every((line) => line["reason"] === "server-busy")).toBe(true);
    for (const { socket } of strangers) socket.terminate();
    await until("given back", () => server.usage().waitingBytes === 0);
    answer.resolve();
  },
);

test(
  "[M9] so are messages that never arrive in full; of somebody who has logged in they do not count",
  { timeout: 60_000 },
  async () => {
    const server = await startComposition();
    const bystanders = await Bystanders.join(server.url);
    const begin = async (client: RawClient): Promise<void> => {
      for (let i = 0; i < 7; i++) {
        await new Promise<void>((resolve) => {
          client.socket.send(Buffer.alloc(MEGABYTE), { fin: false }, () => resolve());
        });
      }
    };
    const strangers = await bystanders.during(
      (async () => {
        const known = await new RawClient(server.url).inside("room");
        await begin(known);
        await known.caughtUp();
        expect(server.usage().waitingBytes).toBe(0);
        const clients = await Promise.all(
          Array.from({ length: 14 }, () => new RawClient(server.url).opened()),
        );
        await Promise.all(clients.map(begin));
        const busy = await until("one too many", () => clients.find(({ close }) => close?.code === 1013));
        expect(busy.close).toEqual({ code: 1013, reason: "server-busy" });
        expect(known.close).toBeNull();
        return clients;
      })(),
    );
    expect(server.usage().waitingBytes).toBeLessThanOrEqual(MAX_WAITING_BYTES_IN_ALL);
    for (const { socket } of strangers) socket.terminate();
    await until("given back", () => server.usage().waitingBytes === 0);
  },
);

test("[M9] what was counted before a login is given back with it", async () => {
  const server = await startComposition();
  const client = await new RawClient(server.url).opened();
  client.login("room");
  client.socket.send(Buffer.alloc(1000), { fin: false });
  await client.received("room", MessageType.Auth);
  await until("inside", () => server.usage().unauthenticated === 0);
  expect(server.usage().waitingBytes).toBe(0);
});

test(
  "[M9] logins that the backend has not answered count as well, and one of megabytes is not looked into",
  { timeout: 60_000 },
  async () => {
    const asked: number[] = [];
    const answer = Promise.withResolvers<void>();
    const backend = {
      async onConnect({ documentName }: { documentName: string }): Promise<void> {
        if (asked.push(documentName.length) && documentName.startsWith("asked")) await answer.promise;
      },
    };
    const server = await startComposition({}, [backend]);
    const bystanders = await Bystanders.join(server.url);
    const [large, ...strangers] = await Promise.all(
      Array.from({ length: 13 }, () => new RawClient(server.url).opened()),
    );
    await bystanders.during(
      (async () => {
        const before = asked.length;
        large?.login("huge", { token: "x".repeat(4 * MEGABYTE) });
        await large?.refused("huge", "token-invalid");
        expect(asked).toHaveLength(before);
        expect(server.usage().waitingBytes).toBe(0);
        for (const client of strangers)
          for (let i = 0; i < 100; i++) client.login(`asked-${i}`, { token: "x".repeat(60_000) });
        await until("one too many", () => strangers.find(({ close }) => close?.code === 1013));
      })(),
    );
    expect(server.usage().waitingBytes).toBeLessThanOrEqual(MAX_WAITING_BYTES_IN_ALL);
    for (const { socket } of strangers) socket.terminate();
    await until("given back", () => server.usage().waitingBytes === 0);
    answer.resolve();
  },
);

test("[M9] one address cannot use up what waits of all, and everybody has enough for five logins at once", () => {
  const all = new WaitingBytes();
  const stranger = new WaitingShare(all, "192.0.2.1");
  while (stranger.take(1024));
  expect(all.bytes).toBe(MAX_WAITING_BYTES_IN_ALL / 4);
  expect(new WaitingShare(all, "192.0.2.1").take(5 * 2200)).toBe(true);
  expect(new WaitingShare(all, "192.0.2.2").take(8 * MEGABYTE)).toBe(true);
});

test("[M9] many addresses together take no more than all, and a login still has its place", () => {
  const all = new WaitingBytes();
  for (let host = 1; host <= 9; host++) {
    const stranger = new WaitingShare(all, `192.0.2.${host}`);
    for (let i = 0; i < 8 && stranger.take(MEGABYTE); i++);
  }
  expect(all.bytes).toBeLessThanOrEqual(MAX_WAITING_BYTES_IN_ALL);
  expect(new WaitingShare(all, "192.0.2.10").take(MEGABYTE)).toBe(false);
  expect(new WaitingShare(all, "192.0.2.10").take(5 * 2200)).toBe(true);
});

test("[M9] [M17] of somebody who has left all rooms, messages that have not arrived in full count again", async () => {
  const server = await startComposition();
  const client = await new RawClient(server.url).inside("room");
  client.send("room", MessageType.CLOSE);
  await until("a stranger", () => server.usage().unauthenticated === 1);
  client.socket.send(Buffer.alloc(MEGABYTE), { fin: false });
  await until("counted", () => server.usage().waitingBytes > MEGABYTE / 2);
  client.socket.terminate();
  await until("given back", () => server.usage().waitingBytes === 0);
});

test("[M17] who is out of all rooms counts as a stranger, may come back, and is closed after a minute outside", async () => {
  const server = await startComposition({}, [], { heartbeat: new Heartbeat({ secondMs: 10 }) });
  const bystanders = await Bystanders.join(server.url);
  const client = await new RawClient(server.url).inside("room");
  await until("inside", () => server.usage().unauthenticated === 0);
  client.send("room", MessageType.CLOSE);
  await until("a stranger", () => server.usage().unauthenticated === 1);
  await client.inside("room");
  await until("inside again", () => server.usage().unauthenticated === 0);
  await bystanders.during(
    (async () => {
      client.send("room", MessageType.CLOSE);
      expect((await client.closed()).code).toBe(4408);
    })(),
  );
  await until("gone", () => server.usage().unauthenticated === 0);
});
