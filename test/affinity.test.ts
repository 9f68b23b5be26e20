/** Several instances behind HAProxy with the configuration that is shipped: which room is where, and who gets where. */
import { once } from "node:events";
import { createServer } from "node:http";
import { connect as connectTcp, type AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import type { Client } from "./support/client.ts";
import type { Binary } from "./support/debian-binary.ts";
import { freePort } from "./support/free-port.ts";
import type { HaproxyProcess } from "./support/haproxy-process.ts";
import { describeWithHaproxy, startHaproxy } from "./support/haproxy.ts";
import { clusterEnv } from "./support/instances.ts";
import { appear, sees, tokenOf } from "./support/presence.ts";
import { RawClient } from "./support/raw-client.ts";
import { describeWithRedis, type TestRedis } from "./support/redis.ts";
import { adminToken, callApi } from "./support/room-api.ts";
import { startProcess, type ServerProcess } from "./support/server-process.ts";
import { tempDatabase } from "./support/temp-dir.ts";
import { until } from "./support/until.ts";

interface Scene {
  readonly proxy: HaproxyProcess;
  /** In the order of the configuration. */
  readonly servers: readonly [ServerProcess, ServerProcess];
  /** In the place of one that has ended. */
  readonly restart: (instance: 1 | 2) => Promise<ServerProcess>;
}

type Env = Readonly<Record<string, string>>;

async function scene(
  haproxy: Binary,
  redis: TestRedis,
  { both = {}, first = {}, proxy = {} }: { readonly both?: Env; readonly first?: Env; readonly proxy?: Env },
): Promise<Scene> {
  const ports = [await freePort(), await freePort()] as const;
  const env = {
    ...clusterEnv(redis, tempDatabase().url),
    ADMIN_TOKEN: adminToken,
    TRUST_PROXY: "1",
    ...both,
  };
  const start = (instance: 1 | 2): Promise<ServerProcess> =>
    startProcess({ ...env, PORT: `${ports[instance - 1]}`, ...(instance === 1 && first) });
  const servers = [await start(1), await start(2)] as const;
  return { proxy: await startHaproxy(haproxy, ports, proxy), servers, restart: start };
}

/** Somebody in a room, whatever its name. */
function enter(user: string, options: { readonly url: string; readonly name: string }): Promise<Client> {
  return appear(user, {}, { token: tokenOf(user, { rooms: "**" }), ...options });
}

/** How many people have come into this room at each of them, once so many have been there in all: the log is read a moment later. */
async function joins(servers: readonly ServerProcess[], name: string, total: number): Promise<number[]> {
  const counts = (): number[] =>
    servers.map((server) => server.events("user-joined").filter(({ room }) => room === name).length);
  await until(
    `${total} have been in ${name}`,
    () => counts().reduce((sum, count) => sum + count, 0) >= total,
    { timeoutMs: 20_000 },
  );
  return counts();
}

/** Somebody in a room of their own for each name, and where that is: 1 or 2. */
async function spread({ proxy, servers }: Scene, names: readonly string[]): Promise<Map<string, 1 | 2>> {
  const visitors = await Promise.all(
    names.map((name) => enter("visitor", { url: proxy.roomUrl(name), name })),
  );
  const places = await Promise.all(
    names.map(async (name) => {
      const [first] = await joins(servers, name, 1);
      return [name, first === 1 ? 1 : 2] as const;
    }),
  );
  for (const visitor of visitors) visitor.leave();
  return new Map(places);
}

/** The first of these rooms that is at this instance. */
function roomAt(places: ReadonlyMap<string, 1 | 2>, instance: 1 | 2): string {
  const [name] = [...places].find(([, place]) => place === instance) ?? [];
  if (name === undefined) throw new Error(`All rooms are at one instance: ${[...places.keys()].join()}`);
  return name;
}

const names = Array.from({ length: 12 }, (_, i) => `team/list-${i}`);

async function reads(client: Client, content: string): Promise<void> {
  await until(`reads ${content}, not ${client.content}`, () => client.content === content);
}

/** Which of so many instances each of these rooms goes to, from 0. Only HAProxy is real here. */
async function shares(haproxy: Binary, instances: number, rooms: readonly string[]): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: instances }, async (_, i) => {
      const server = createServer((_request, response) => response.end(`${i}`)).listen(0, "127.0.0.1");
      onTestFinished(() => void server.close());
      await once(server, "listening");
      return (server.address() as AddressInfo).port;
    }),
  );
  const proxy = await startHaproxy(haproxy, servers);
  return Promise.all(rooms.map(async (room) => Number(await (await fetch(proxy.roomUrl(room))).text())));
}

describeWithHaproxy("behind HAProxy", (haproxy) => {
  test("[I12] rooms are shared out evenly, and a further instance takes its share without moving other rooms", async () => {
    const rooms = Array.from({ length: 300 }, (_, i) => `task-list-${i}`);
    const [two, three] = [await shares(haproxy, 2, rooms), await shares(haproxy, 3, rooms)];
    for (const [places, instances] of [
      [two, 2],
      [three, 3],
    ] as const)
      for (let i = 0; i < instances; i++) {
        const share = places.filter((place) => place === i).length / rooms.length;
        expect(share).toBeGreaterThan(0.8 / instances);
        expect(share).toBeLessThan(1.2 / instances);
      }
    expect(rooms.filter((_, i) => three[i] !== two[i] && three[i] !== 2)).toEqual([]);
  });

  describeWithRedis("with two instances", (redis) => {
    test("[I12] everybody in a room is at one instance, however its name is written, and rooms are at both", async () => {
      const { proxy, servers } = await scene(haproxy, redis, {});
      const paths = (name: string): string[] => [
        `/rooms/${encodeURIComponent(name)}`,
        `/rooms/${encodeURIComponent(name).toLowerCase()}`,
        `/rooms/${name}`,
        `/rooms/${name}?session=1`,
        `/rooms/${encodeURIComponent(name)}/?session=2`,
      ];
      await Promise.all(
        names.flatMap((name) => paths(name).map((path) => enter("ana", { url: proxy.url + path, name }))),
      );
      const counts = await Promise.all(names.map((name) => joins(servers, name, 5)));
      for (const count of counts) expect(count.toSorted()).toEqual([0, 5]);
      // A fixed hash of fixed names: not chance.
      expect(counts.filter(([first]) => first === 5).length).toBeGreaterThanOrEqual(3);
      expect(counts.filter(([first]) => first === 0).length).toBeGreaterThanOrEqual(3);
    });

    test.for(["SIGTERM", "SIGKILL"] as const)(
      "[I12] the rooms of an instance that ends (%s) move to the other with everybody in them, and those of the other stay; once it is back it serves again",
      async (signal) => {
        const place = await scene(haproxy, redis, {});
        const { proxy, servers } = place;
        const places = await spread(place, names);
        const [moving, staying] = [roomAt(places, 1), roomAt(places, 2)];
        const ana = await enter("ana", { url: proxy.roomUrl(moving), name: moving });
        const ben = await enter("ben", { url: proxy.roomUrl(moving), name: moving });
        const cleo = await enter("cleo", { url: proxy.roomUrl(staying), name: staying });
        ana.text.insert(0, "before");
        await ana.saved();
        await reads(ben, "before");

        await servers[0].ended(signal);
        await joins([servers[1]], moving, 2);
        ben.text.insert(0, "after, ");
        await ben.saved();
        await reads(ana, "after, before");
        await sees(ana, { [ben.doc.clientID]: { user: { id: "ben", name: "Ben" } } });
        // At the first attempt: nobody was left with the one that had ended.
        expect(proxy.failures).toEqual([]);

        await proxy.untilDown(1);
        const again = await place.restart(1);
        await proxy.untilUp(1);
        const dora = await enter("dora", { url: proxy.roomUrl(moving), name: moving });
        await joins([again], moving, 1);
        await reads(dora, "after, before");
        dora.text.insert(0, "at last, ");
        await reads(ana, "at last, after, before");
        expect([ana.closes.length, ben.closes.length, cleo.closes.length]).toEqual([1, 1, 0]);
      },
    );

    test("[I12] an instance that is not ready gets nobody new, and keeps whom it has", async () => {
      await redis.stop();
      const place = await scene(haproxy, redis, { first: { DATABASE_URL: tempDatabase().url } });
      const { proxy, servers } = place;
      const people = await Promise.all(names.map((name) => enter("ana", { url: proxy.roomUrl(name), name })));
      const before = await Promise.all(names.map((name) => joins(servers, name, 1)));
      // They find out that they have different stores: one of them is of no use any more.
      await redis.start();
      const [out, left] = await until("one of them out", async () => {
        if (!(await proxy.isUp(1))) return [0, 1] as const;
        return (await proxy.isUp(2)) ? null : ([1, 0] as const);
      });
      await Promise.all(names.map((name) => enter("ben", { url: proxy.roomUrl(name), name })));
      const after = await Promise.all(names.map((name) => joins(servers, name, 2)));
      expect(after.map((counts) => counts[out])).toEqual(before.map((counts) => counts[out]));
      expect(before.filter((counts) => counts[out] === 1).length).toBeGreaterThan(0);
      expect(before.filter((counts) => counts[left] === 1).length).toBeGreaterThan(0);
      expect(people.flatMap(({ closes }) => closes)).toEqual([]);
    });

    test("[I12] who finds the room's instance full is at the other, in the same room", async () => {
      const { proxy, servers } = await scene(haproxy, redis, { first: { MAX_CONNECTIONS: "1" } });
      // The first instance is full with the first of them that belongs there.
      const people = await Promise.all(names.map((name) => enter("ana", { url: proxy.roomUrl(name), name })));
      const counts = await Promise.all(names.map((name) => joins(servers, name, 1)));
      expect(counts.filter(([first]) => first === 1)).toHaveLength(1);
      const full = counts.findIndex(([first]) => first === 1);
      const [ana, name] = [people[full], names[full] ?? ""];
      const ben = await enter("ben", { url: proxy.roomUrl(name), name });
      expect(await joins(servers, name, 2)).toEqual([1, 1]);
      ana?.text.insert(0, "seen");
      await reads(ben, "seen");
      expect([...people, ben].flatMap(({ closes }) => closes)).toEqual([]);
    });

    test("[I12] sockets that name no room are spread by their number, and may have rooms of both", async () => {
      const { proxy, servers } = await scene(haproxy, redis, {});
      const people: Client[] = [];
      for (const path of ["/", "/socket", "/socket/", "/?x"])
        people.push(await enter("ana", { url: proxy.url + path, name: "room" }));
      expect(await joins(servers, "room", 4)).toEqual([2, 2]);
      expect(people.map(({ closes }) => closes)).toEqual([[], [], [], []]);
    });

    test("[I13] clients reach WebSockets and the health of the whole, however else a path is written", async () => {
      const { proxy, servers } = await scene(haproxy, redis, {});
      const statusOf = async (path: string): Promise<number> =>
        (await fetch(proxy.url + path, { headers: { authorization: `Bearer ${adminToken}` } })).status;
      const paths = ["/metrics", "/readyz", "/observer", "/api/rooms/x/presence", "/%61pi/rooms/x/presence"];
      // The server itself would answer the last one.
      expect((await callApi(servers[0].url, `GET ${paths[4]}`)).status).toBe(200);
      for (const path of [...paths, "//api/rooms/x/presence", "/rooms/../metrics", "/haproxy"])
        expect([path, await statusOf(path)]).toEqual([path, 404]);
      expect(await statusOf("/healthz")).toBe(200);
      await Promise.all(servers.map((server) => server.ended("SIGKILL")));
      await proxy.untilDown(1);
      await proxy.untilDown(2);
      expect(await statusOf("/healthz")).toBe(503);
    });

    test("[I13] the backend has the room API at a port of its own, and finds who is in a room where the room is", async () => {
      const place = await scene(haproxy, redis, {});
      const { proxy } = place;
      const places = await spread(place, names);
      for (const instance of [1, 2] as const) {
        const name = roomAt(places, instance);
        const ana = await enter("ana", { url: proxy.roomUrl(name), name });
        const { body } = await callApi(proxy.apiUrl, `GET /api/rooms/${encodeURIComponent(name)}/presence`);
        expect(body).toMatchObject({ room: name, users: [{ id: "ana", connections: 1 }] });
        const kick = await callApi(proxy.apiUrl, `POST /api/rooms/${encodeURIComponent(name)}/kick`);
        expect(kick.body).toMatchObject({ connections: 1 });
        expect(await ana.denied()).toBe("kicked");
      }
      const ben = await enter("ben", { url: proxy.url, name: "room" });
      // Wherever the order is given.
      expect((await callApi(proxy.apiUrl, "POST /api/users/ben/revoke")).status).toBe(200);
      expect(await ben.denied()).toBe("access-revoked");
      expect((await callApi(proxy.apiUrl, "POST /api/users/ben/revoke", {})).status).toBe(401);
      expect((await fetch(`${proxy.apiUrl}/metrics`)).status).toBe(404);
    });

    test("[I13] a client's address is what HAProxy saw, whatever it writes itself", async () => {
      const { proxy } = await scene(haproxy, redis, { both: { MAX_CONNECTIONS_PER_IP: "1" } });
      const url = proxy.roomUrl("room");
      await new RawClient(url).opened();
      await new RawClient(url, { localAddress: "127.0.0.2" }).opened();
      const { socket } = new RawClient(url, { headers: { "X-Forwarded-For": "6.6.6.6" } });
      const [, response] = (await once(socket, "unexpected-response")) as [unknown, { statusCode: number }];
      expect(response.statusCode).toBe(429);
    });

    test("[I13] behind another proxy it is what that one saw", async () => {
      const { proxy } = await scene(haproxy, redis, {
        both: { MAX_CONNECTIONS_PER_IP: "1" },
        proxy: { CLIENT_ADDRESS: "req.hdr(Fly-Client-IP)" },
      });
      const from = (ip: string): RawClient =>
        new RawClient(proxy.roomUrl("room"), { headers: { "Fly-Client-IP": ip } });
      await from("203.0.113.1").opened();
      await from("203.0.113.2").opened();
      const again = from("203.0.113.1").socket;
      const [, response] = (await once(again, "unexpected-response")) as [unknown, { statusCode: number }];
      expect(response.statusCode).toBe(429);
    });

    test("[I13] one address does not get more connections than it may have, over all instances, and others do", async () => {
      const { proxy } = await scene(haproxy, redis, { proxy: { MAX_CONNECTIONS_PER_IP: "3" } });
      const url = proxy.roomUrl("room");
      // One that says nothing, and two sockets.
      const { hostname, port } = new URL(url);
      const silent = connectTcp({ host: hostname, port: Number(port) });
      await once(silent, "connect");
      const [, second] = [await new RawClient(url).opened(), await new RawClient(proxy.url).opened()];
      const isLetIn = async (options?: { readonly localAddress: string }): Promise<boolean> => {
        const { socket } = new RawClient(url, options);
        return new Promise((resolve) => {
          socket.once("open", () => resolve(true)).once("close", () => resolve(false));
        });
      };
      expect(await isLetIn()).toBe(false);
      expect(await isLetIn({ localAddress: "127.0.0.2" })).toBe(true);
      second.socket.terminate();
      silent.destroy();
      await until("let in again", () => isLetIn());
    });

    test("[I13] who does not end a request is answered 408 and cut off", async () => {
      const { proxy } = await scene(haproxy, redis, {});
      const { hostname, port } = new URL(proxy.url);
      const socket = connectTcp({ host: hostname, port: Number(port) });
      socket.write("GET /rooms/room HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n");
      // However steadily it goes on.
      const dripping = setInterval(() => socket.write("X-Slow: 1\r\n"), 1000);
      socket.once("end", () => clearInterval(dripping));
      expect(await text(socket)).toMatch(/^HTTP\/1\.1 408 /);
    });
  });
});
