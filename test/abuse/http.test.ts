/** Strangers at the HTTP port: bytes that are no request, or take for ever to become one. */
import { EventEmitter, once } from "node:events";
import type { Server } from "node:http";
import { connect as connectTcp, type Socket } from "node:net";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { boundPlainConnections } from "../../http/plain-connections.ts";
import { connect } from "../support/client.ts";
import { startProcess } from "../support/server-process.ts";
import { until } from "../support/until.ts";

/** A TCP connection to the server, and all that came back on it. */
async function dial(
  url: string,
  { localAddress = "127.0.0.1" }: { readonly localAddress?: string } = {},
): Promise<{ socket: Socket; answer: () => string; ended: () => boolean }> {
  const { hostname, port } = new URL(url);
  const socket = connectTcp({ port: Number(port), host: hostname, localAddress });
  let text = "";
  let isOver = false;
  socket.setEncoding("latin1").on("data", (chunk: string) => (text += chunk));
  socket.on("error", () => {}).on("close", () => (isOver = true));
  onTestFinished(() => void socket.destroy());
  await once(socket, "connect");
  return { socket, answer: () => text, ended: () => isOver };
}

async function ask(url: string, request: string): Promise<string> {
  const { socket, answer, ended } = await dial(url);
  socket.write(request);
  await until("an answer", () => ended() || answer().includes("\r\n\r\n"));
  return answer();
}

test(
  "[H5] a request that takes for ever is cut off within 20 s, and nobody else waits",
  { timeout: 60_000 },
  async () => {
    const beginnings = [
      "",
      "GET /healthz HT",
      "GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: ",
      "POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n",
      "GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n",
    ];
    const server = await startProcess();
    const bystander = await connect({ url: server.url, name: "room" }).saved();
    const beginsAt = performance.now();
    const loris = await Promise.all(
      beginnings.flatMap((beginning) =>
        Array.from({ length: 20 }, async () => {
          const dialled = await dial(server.url);
          dialled.socket.write(beginning);
          return { ...dialled, isDripping: beginning.includes("Host: x") };
        }),
      ),
    );
    let edits = 0;
    await until(
      "all cut off",
      async () => {
        for (const { socket, isDripping } of loris) if (isDripping) socket.write("a");
        bystander.tasks.set("edit", edits++);
        await bystander.saved();
        expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
        return loris.every(({ ended }) => ended());
      },
      { timeoutMs: 40_000 },
    );
    expect(performance.now() - beginsAt).toBeLessThan(20_000);
  },
);

test(
  "[H9] more than 500 connections that are no WebSockets: the oldest of the busiest address go",
  { timeout: 40_000 },
  async () => {
    const server = await startProcess();
    const bystander = await connect({ url: server.url, name: "room" }).saved();
    // Older than all others, and of an address that has few.
    const few = await Promise.all(
      Array.from({ length: 20 }, () => dial(server.url, { localAddress: "127.0.0.2" })),
    );
    const crowd = await Promise.all(Array.from({ length: 520 }, () => dial(server.url)));
    // Not at an end yet, so that no other time-out closes them.
    for (const { socket } of [...few, ...crowd]) socket.write("GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: ");
    const beginsAt = performance.now();
    const closed = (): number => crowd.filter(({ ended }) => ended()).length;
    await until("the surplus closed", async () => {
      expect((await fetch(`${server.url}/healthz`, { headers: { Connection: "close" } })).status).toBe(200);
      return closed() >= 40;
    });
    expect(performance.now() - beginsAt).toBeLessThan(9000);
    expect(closed()).toBeLessThan(60);
    expect(few.filter(({ ended }) => ended())).toEqual([]);
    bystander.text.insert(0, "still here");
    await bystander.saved();
    expect(bystander.closes).toEqual([]);
  },
);

describe("connections that are no WebSockets, as the server hears of them", () => {
  /** Connects from an address, says whether the connection is still there, and closes it. */
  function bounded(): (remoteAddress: string) => { (): boolean; readonly close: () => void } {
    const httpServer = new EventEmitter();
    boundPlainConnections(httpServer as Server);
    return (remoteAddress) => {
      let isThere = true;
      const socket = Object.assign(new EventEmitter(), { remoteAddress, destroy: () => (isThere = false) });
      httpServer.emit("connection", socket);
      return Object.assign(() => isThere, { close: () => void socket.emit("close") });
    };
  }

  test("[H9] those who come all at once are left for two seconds, in which they may become WebSockets", () => {
    const now = vi.spyOn(performance, "now").mockReturnValue(1000);
    onTestFinished(() => now.mockRestore());
    const arrive = bounded();
    const crowd = Array.from({ length: 3000 }, () => arrive("192.0.2.1"));
    now.mockReturnValue(2999);
    arrive("192.0.2.1");
    expect(crowd.every((isThere) => isThere())).toBe(true);
    now.mockReturnValue(3000);
    arrive("192.0.2.1");
    expect(crowd.filter((isThere) => isThere())).toHaveLength(498);
  });

  test("[H9] those that are closed do not count", () => {
    const now = vi.spyOn(performance, "now").mockReturnValue(1000);
    onTestFinished(() => now.mockRestore());
    const arrive = bounded();
    const keptAlive = arrive("192.0.2.1");
    for (let i = 0; i < 1000; i++) arrive("192.0.2.1").close();
    now.mockReturnValue(4000);
    arrive("192.0.2.1");
    expect(keptAlive()).toBe(true);
  });

  test("[H9] whoever has all addresses of a network counts as one", () => {
    const now = vi.spyOn(performance, "now").mockReturnValue(1000);
    onTestFinished(() => now.mockRestore());
    const arrive = bounded();
    const few = Array.from({ length: 10 }, () => arrive("192.0.2.1"));
    const network = Array.from({ length: 500 }, (_, i) => arrive(`2001:db8::${i.toString(16)}`));
    now.mockReturnValue(4000);
    const last = arrive("192.0.2.2");
    expect([few, network, [last]].map((group) => group.filter((isThere) => isThere()).length)).toEqual([
      10, 489, 1,
    ]);
  });
});

test("[H5] headers larger than 16 kB are answered 431", async () => {
  const { url } = await startProcess();
  const answer = await ask(url, `GET / HTTP/1.1\r\nHost: x\r\nX-A: ${"a".repeat(17_000)}\r\n\r\n`);
  expect(answer).toMatch(/^HTTP\/1\.1 431 /);
});

test.for([
  ["noise", "\x16\x03\x01\x00\xa5\x01\x00\x00\r\n\r\n", 400],
  ["two lengths", "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400],
  ["no host", "GET / HTTP/1.1\r\n\r\n", 400],
  ["a whole URL, as proxies send it", "GET http://other.example/ HTTP/1.1\r\nHost: x\r\n\r\n", 200],
  ["a path that climbs", "GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", 404],
  ["a broken escape", "GET /api/rooms/%E0%A4%A/presence HTTP/1.1\r\nHost: x\r\n\r\n", 404],
  ["a method that is none", "BREW / HTTP/1.1\r\nHost: x\r\n\r\n", 400],
  ["a tunnel", "CONNECT other.example:443 HTTP/1.1\r\nHost: x\r\n\r\n", null],
  [
    "an upgrade to something else",
    "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    400,
  ],
  ["a WebSocket of another version", webSocketOf("99"), 400],
] as const)(
  "[H6] %s: a status or the end of the connection, and the server goes on",
  async ([, request, status]) => {
    const server = await startProcess();
    const bystander = await connect({ url: server.url, name: "room" }).saved();
    const answer = await ask(server.url, request);
    if (status === null) expect(answer).toBe("");
    else expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    bystander.text.insert(0, "still here");
    await bystander.saved();
    expect(bystander.closes).toEqual([]);
  },
);

test("[H7] no answer names the software or its version, allows another origin to read it, or may be cached", async () => {
  const { url } = await startProcess();
  for (const path of ["/", "/healthz", "/readyz", "/nowhere"]) {
    const response = await fetch(`${url}${path}`, { headers: { Origin: "https://evil.example" } });
    const names = [...response.headers.keys()];
    expect(names.filter((name) => /^(server|x-powered-by|access-control-.*)$/.test(name))).toEqual([]);
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    expect(await response.text()).not.toMatch(/\d+\.\d+\.\d+/);
  }
});

function webSocketOf(version: string): string {
  return [
    "GET / HTTP/1.1",
    "Host: x",
    "Connection: Upgrade",
    "Upgrade: websocket",
    `Sec-WebSocket-Version: ${version}`,
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "",
    "",
  ].join("\r\n");
}
