import { once } from "node:events";
import { readdirSync } from "node:fs";
import { connect as connectTcp, createServer, type AddressInfo, type Socket } from "node:net";
import { HocuspocusProviderWebsocket } from "@hocuspocus/provider";
import { MessageType } from "@hocuspocus/server";
import * as encoding from "lib0/encoding";
import { expect, onTestFinished, test, vi } from "vitest";
import { WebSocket } from "ws";
import { closeReasons } from "../lib/close-reasons.ts";
import { Refusal } from "../lib/refusal.ts";
import { ClientSocket } from "../transport/client-socket.ts";
import { Heartbeat } from "../transport/heartbeat.ts";
import { rejectUpgrade } from "../transport/upgrade-gate.ts";
import { connect, type Client } from "./support/client.ts";
import { startComposition } from "./support/composition.ts";
import { RawClient, refusedUpgrade } from "./support/raw-client.ts";
import { ServerProcess, startProcess } from "./support/server-process.ts";
import { until } from "./support/until.ts";

const rules = {
  allowedOrigins: ["https://app.example.com", "https://*.example.org"],
  maxConnections: 2,
  maxConnectionsPerIp: 2,
};
const healthy = {
  stopping: false,
  storageTrouble: false,
  connections: 0,
  connectionsOfAddress: 0,
  unauthenticated: 0,
};

test.for(["/", "/socket", "/socket/", "/rooms/task-list-1", "/?x=1", "/rooms/a%2Fb?x", "/rooms/a/b"])(
  "[T1] a WebSocket opens on %s",
  (url) => {
    expect(rejectUpgrade({ url, origin: undefined }, healthy, rules)).toBeNull();
  },
);

test.for(["/other", "/rooms", "/rooms/", "/rooms?x", "/socketx", "//"])(
  "[T1] a WebSocket on %s is answered 404",
  (url) => {
    expect(rejectUpgrade({ url, origin: undefined }, healthy, rules)?.status).toBe(404);
  },
);

test.for([
  ["https://app.example.com", true],
  ["https://a.example.org", true],
  ["https://a.b.example.org", true],
  ["https://example.org", false],
  ["https://.example.org", false],
  ["https://evilexample.org", false],
  ["http://app.example.org", false],
  ["https://a.example.org.evil.com", false],
  ["https://app.example.com:8443", false],
  ["null", false],
] as const)("[T2] origin %s: %s", ([origin, allowed]) => {
  expect(rejectUpgrade({ url: "/", origin }, healthy, rules)?.status).toBe(allowed ? undefined : 403);
});

test("[T1] [T2] a real upgrade is refused with a status, and logged", async () => {
  const server = await startProcess({ ALLOWED_ORIGINS: "https://app.example.com" });
  expect((await refusedUpgrade(`${server.url}/nowhere`)).status).toBe(404);
  expect((await refusedUpgrade(server.url, { origin: "https://evil.example" })).status).toBe(403);
  await server.logged("refused origin", (line) => line.event === "upgrade-refused" && line["status"] === 403);
  await new RawClient(server.url, { origin: "https://app.example.com" }).opened();
});

test("[T3] a client that resets its connection during the upgrade harms nobody", async () => {
  const server = await startProcess({ ALLOWED_ORIGINS: "https://app.example.com" });
  const upgrade = (path: string, origin: string): string =>
    `GET ${path} HTTP/1.1\r\nHost: x\r\nOrigin: ${origin}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
  for (let round = 0; round < 50; round++) {
    for (const request of [
      upgrade("/", "https://app.example.com"),
      upgrade("/nowhere", "https://evil.example"),
    ]) {
      const socket = connectTcp(server.port, "127.0.0.1");
      socket.on("error", () => {});
      await once(socket, "connect");
      socket.write(request);
      socket.resetAndDestroy();
    }
  }
  const client = connect({
    url: server.url,
    name: "room",
    WebSocketPolyfill: originOf("https://app.example.com"),
  });
  await client.synced();
});

test("[T4] a message larger than MAX_MESSAGE_BYTES closes its socket with 1009", async () => {
  const server = await startProcess({ MAX_MESSAGE_BYTES: "2048" });
  const client = await new RawClient(server.url).opened();
  client.socket.send(new Uint8Array(2049));
  expect(await client.closed()).toMatchObject({ code: 1009 });
  // Nobody else is the worse for it.
  await new RawClient(server.url).inside("room");
  expect(server.events("crashed")).toEqual([]);
});

test("[T5] a text frame closes its socket with 1003", async () => {
  const server = await startProcess();
  const client = await new RawClient(server.url).opened();
  client.socket.send("hello");
  expect(await client.closed()).toEqual({ code: 1003, reason: "binary-frames-only" });
});

test("[T6] a client without awareness stays in a quiet room, by Pings that its provider sees", async () => {
  const heartbeat = new Heartbeat({ secondMs: 5 });
  const server = await startComposition({}, [], { heartbeat });
  const quiet = await connect({ url: server.url, name: "quiet", awareness: null }).synced();
  const socket = quiet.provider.configuration.websocketProvider;
  // Several, because the answer to the first one must not be what ends the connection.
  for (let ping = 0; ping < 3; ping++) {
    const before = socket.lastMessageReceived;
    await until("a Ping from the server", () => socket.lastMessageReceived > before);
  }
  expect(quiet.closes).toEqual([]);
  expect(server.rooms.documents.get("quiet")?.getConnectionsCount()).toBe(1);
});

test("[T6] a provider that states no version gets no Ping that it would not understand", async () => {
  const server = await startComposition({}, [], { heartbeat: new Heartbeat({ secondMs: 2 }) });
  const [old, current] = [new RawClient(server.url), new RawClient(server.url)];
  await Promise.all([old.opened(), current.opened()]);
  old.login("room", { version: null });
  current.login("room");
  const isPing = (message: Uint8Array): boolean => message.length === 1 && message[0] === MessageType.Ping;
  await until("Pings for the current one", () => current.messages.filter(isPing).length >= 3);
  expect(old.messages.filter(isPing)).toEqual([]);
  expect(old.close).toBeNull();
});

test("[T7] a peer that answers no ping is found dead within two heartbeats", async () => {
  const server = await startComposition({}, [], { heartbeat: new Heartbeat({ secondMs: 5 }) });
  const dead = await new RawClient(server.url, { autoPong: false }).opened();
  const alive = await new RawClient(server.url).opened();
  let pings = 0;
  alive.socket.on("ping", () => pings++);
  expect(await dead.closed()).toMatchObject({ code: 1006 });
  await until("three heartbeats of the other", () => pings >= 3);
  expect(alive.close).toBeNull();
});

test("[T7] who still has something to read is given five heartbeats to answer", async () => {
  const server = await startComposition({}, [], { heartbeat: new Heartbeat({ secondMs: 25 }) });
  const slow = await new RawClient(server.url).inside("room");
  const document = server.rooms.documents.get("room");
  const [member] = document?.getConnections() ?? [];
  if (!document || !member) throw new Error("It is in the room");
  const writer = await connect({ url: server.url, name: "room" }).synced();
  const beat = vi.spyOn(ClientSocket.prototype, "beat");
  onTestFinished(() => beat.mockRestore());
  const beats = (): number => beat.mock.contexts.filter((context) => context === member.webSocket).length;
  slow.socket.pause();
  // More than the system takes in for somebody who does not read.
  for (let i = 0; i < 12; i++) writer.tasks.set(`task-${i}`, "x".repeat(1024 * 1024));
  await until("behind", () => server.usage().mostBufferedBytes > 0);
  const before = beats();
  await until("cut off", () => !document.hasConnection(member));
  expect(beats() - before).toBeGreaterThanOrEqual(4);
});

test("[T7] who is gone is not asked any more", async () => {
  const heartbeat = new Heartbeat({ secondMs: 1 });
  const unwatch = vi.spyOn(heartbeat, "unwatch");
  const server = await startComposition({}, [], { heartbeat });
  const client = await new RawClient(server.url).opened();
  client.socket.terminate();
  await until("not watched", () => unwatch.mock.calls.length === 1);
  let beats = 0;
  const peer = { beat: () => void beats++ };
  const other = { beat: () => {} };
  const beatsOfOther = vi.spyOn(other, "beat");
  for (const one of [peer, other]) heartbeat.watch(one);
  await until("a beat", () => beats > 0);
  heartbeat.unwatch(peer);
  const before = beats;
  beatsOfOther.mockClear();
  await until("two beats of another", () => beatsOfOther.mock.calls.length >= 2);
  expect(beats).toBe(before);
});

test("[T8] a full server answers 503 with Retry-After, and one that has room again lets in", async () => {
  const server = await startProcess({ MAX_CONNECTIONS: "1" });
  const first = await new RawClient(server.url).opened();
  const refused = await refusedUpgrade(server.url);
  expect(refused).toMatchObject({ status: 503, headers: { "retry-after": "10" } });
  first.socket.close();
  await first.closed();
  await until("a place", async () => {
    const next = new WebSocket(server.url);
    next.on("error", () => {});
    return Promise.race([
      once(next, "open").then(() => (next.terminate(), true)),
      once(next, "unexpected-response").then(() => false),
    ]);
  });
});

test("[T8] while stopping or without storage the upgrade is refused for now", () => {
  const attempt = { url: "/", origin: undefined };
  for (const state of [
    { ...healthy, stopping: true },
    { ...healthy, storageTrouble: true },
  ]) {
    const rejection = rejectUpgrade(attempt, state, rules);
    expect(rejection?.status).toBe(503);
    expect(rejection?.retryAfter).toBeGreaterThan(0);
  }
});

test("[T9] a client that does not read is cut off at MAX_BUFFERED_BYTES, and the room goes on", async () => {
  const server = await startComposition({ MAX_BUFFERED_BYTES: "65536" });
  const lazy = await new RawClient(server.url).opened();
  lazy.login("room");
  await lazy.received("room", MessageType.Auth);
  lazy.socket.pause();
  const [writer, reader] = [
    connect({ url: server.url, name: "room" }),
    connect({ url: server.url, name: "room" }),
  ];
  await Promise.all([writer.synced(), reader.synced()]);
  await until("the slow consumer refused", async () => {
    writer.text.insert(0, "x".repeat(500_000));
    await writer.saved();
    return server.log.events("refused").some((line) => line["reason"] === "slow-consumer");
  });
  await until("the reader caught up", () => reader.text.length === writer.text.length);
  expect(server.rooms.documents.get("room")?.getConnectionsCount()).toBe(2);
});

test("[T10] a port in use is one clear line and exit code 1", async () => {
  const taken = createServer().listen(0, "127.0.0.1");
  onTestFinished(() => void taken.close());
  await once(taken, "listening");
  const { port } = taken.address() as AddressInfo;
  const server = new ServerProcess({ PORT: String(port), DATABASE_URL: "memory:" });
  expect((await server.ended()).code).toBe(1);
  expect(server.stderr.trim()).toBe(
    `Port ${port} is in use by another program: stop that one, or set PORT to a free port.`,
  );
});

test("[T11] a message that cannot be understood closes that socket only, and asks to come back", async () => {
  const server = await startProcess();
  const bystander = await connect({ url: server.url, name: "room" }).synced();
  const broken = await new RawClient(server.url).opened();
  broken.login("room");
  await broken.received("room", MessageType.Auth);
  broken.send("room", MessageType.Sync, (encoder) => encoding.writeVarUint(encoder, 99));
  expect(await broken.closed()).toEqual({ code: 4205, reason: "Reset Connection" });
  bystander.text.insert(0, "still here");
  await bystander.saved();
  expect(bystander.closes).toEqual([]);
});

/** A provider of a room on a socket that others share. */
function enterOn(websocketProvider: HocuspocusProviderWebsocket, name: string): Client {
  const { url } = websocketProvider.configuration;
  const client = connect({ url, name, websocketProvider });
  client.provider.attach();
  return client;
}

/** A WebSocket class whose instances state an Origin, as a browser does. */
function originOf(origin: string): new (url: string) => WebSocket {
  return class extends WebSocket {
    constructor(url: string) {
      super(url, { origin });
    }
  };
}

test("[T12] frames of every size arrive whole and in order, also when many leave in one turn", async () => {
  const server = await startComposition();
  const reader = await connect({ url: server.url, name: "room" }).synced();
  const received: number[] = [];
  reader.provider.on("stateless", ({ payload }: { payload: string }) => received.push(payload.length));
  // Every message length around the borders of the frame's length field (7 bits, 16 bits), and above what is gathered into one write.
  const around = (border: number): number[] => Array.from({ length: 24 }, (_, index) => border - 20 + index);
  const sizes = [0, 1, ...around(126), ...around(65_536), 200_000, 5, 1_000_000, 6];
  for (const size of sizes) server.rooms.documents.get("room")?.broadcastStateless("x".repeat(size));
  await until("all messages", () => received.length === sizes.length);
  expect(received).toEqual(sizes);
  expect(reader.closes).toEqual([]);
});

test("[T13] an update goes to everybody in the room but the connection it came from", async () => {
  const server = await startComposition();
  const [author, other] = [
    connect({ url: server.url, name: "room" }),
    connect({ url: server.url, name: "room" }),
  ];
  await Promise.all([author.saved(), other.saved()]);
  for (let i = 1; i <= 20; i++) {
    author.text.insert(0, "a");
    await until("the edit at the other", () => other.text.length === i);
  }
  await author.saved();
  expect([author.updatesReceived, other.updatesReceived]).toEqual([0, 20]);
});

test("[T13] nor to its author where a team's extension has the hook as well", async () => {
  const server = await startComposition({}, [{ priority: 1000, onChange: async () => {} }]);
  const author = await connect({ url: server.url, name: "room" }).synced();
  author.text.insert(0, "x");
  await author.saved();
  expect(author.updatesReceived).toBe(0);
});

test("[T13] two providers of one room on one socket hear each other", async () => {
  const server = await startComposition();
  const websocketProvider = new HocuspocusProviderWebsocket({ url: server.url });
  onTestFinished(() => websocketProvider.destroy());
  const [one, two] = ["one", "two"].map(() => {
    const client = connect({ url: server.url, name: "room", websocketProvider, sessionAwareness: true });
    client.provider.attach();
    return client;
  }) as [Client, Client];
  await Promise.all([one.synced(), two.synced()]);
  one.text.insert(0, "from one");
  await until("one's edit at two", () => two.content === "from one");
  two.text.insert(0, "and two, ");
  await until("two's edit at one", () => one.content === "and two, from one");
});

test("[T14] a client whose CLOSE and next login arrive together is in the room, every time", async () => {
  const server = await startComposition();
  const client = await new RawClient(server.url).opened();
  const { socket } = client;
  client.login("room");
  await client.received("room", MessageType.Auth);
  for (let round = 1; round <= 20; round++) {
    client.messages.length = 0;
    // One write, so that the server finds all of it in one read.
    (socket as unknown as { _socket: Socket })._socket.cork();
    client.send("room", MessageType.CLOSE, (encoder) => encoding.writeVarString(encoder, "bye"));
    client.login("room");
    client.firstSync("room");
    (socket as unknown as { _socket: Socket })._socket.uncork();
    await client.received("room", MessageType.Auth);
    await client.received("room", MessageType.Sync);
    expect(server.rooms.documents.get("room")?.getConnectionsCount()).toBe(1);
  }
});

test("[T14] a provider that leaves a room and enters it again at once, on one socket, is in the room", async () => {
  const server = await startComposition();
  const websocketProvider = new HocuspocusProviderWebsocket({ url: server.url });
  onTestFinished(() => websocketProvider.destroy());
  const enter = (): Client => enterOn(websocketProvider, "room");
  const observer = await connect({ url: server.url, name: "room" }).synced();
  let client = await enter().synced();
  // As a React effect does that runs twice: destroyed and made anew in one turn, so that CLOSE and Auth leave together.
  for (let round = 1; round <= 10; round++) {
    client.leave();
    client = enter();
    client.text.insert(0, "x");
    await client.saved();
    await until("the edit at the observer", () => observer.text.length === round);
    expect(client.content).toBe("x".repeat(round));
  }
  expect(client.closes).toEqual([]);
});

test("[T14] it is in the room also when the first login is still under way, or was refused", async () => {
  let isRefused = true;
  const server = await startComposition({}, [
    {
      async onAuthenticate() {
        await new Promise((resolve) => setImmediate(resolve));
        if (isRefused) throw new Refusal(closeReasons.roomForbidden);
      },
    },
  ]);
  const websocketProvider = new HocuspocusProviderWebsocket({ url: server.url });
  onTestFinished(() => websocketProvider.destroy());
  const enter = (): Client => enterOn(websocketProvider, "room");
  const refused = enter();
  await refused.denied();
  isRefused = false;
  refused.leave();
  const early = enter();
  early.leave();
  const client = await enter().synced();
  client.text.insert(0, "x");
  await client.saved();
  expect(server.rooms.documents.get("room")?.getText("text").length).toBe(1);
});

test("[T14] a login that waited behind one that is refused is heard", async () => {
  const { promise: decided, resolve: decide } = Promise.withResolvers<void>();
  let isAsked = false;
  const server = await startComposition({}, [
    {
      async onAuthenticate({ token }: { token: string }) {
        if (token !== "first") return;
        isAsked = true;
        await decided;
        throw new Refusal(closeReasons.roomForbidden);
      },
    },
  ]);
  const client = await new RawClient(server.url).opened();
  client.login("room", { token: "first" });
  await until("the first login", () => isAsked);
  client.send("room", MessageType.CLOSE, (encoder) => encoding.writeVarString(encoder, "bye"));
  client.login("room", { token: "second" });
  client.firstSync("room");
  await client.caughtUp();
  decide();
  await client.received("room", MessageType.Sync);
});

test("[T13] a first sync is never taken for an echo, whichever extension comes first", async () => {
  const server = await startComposition({}, [{ priority: 1_000_000, onChange: async () => {} }]);
  const websocketProvider = new HocuspocusProviderWebsocket({ url: server.url });
  onTestFinished(() => websocketProvider.destroy());
  for (const name of ["one", "two", "three"]) {
    const author = await enterOn(websocketProvider, name).saved();
    // The room's only transaction: its first sync ends in the bytes of this very update.
    author.text.insert(0, name);
    await author.saved();
    author.leave();
    const again = await enterOn(websocketProvider, name).synced();
    expect(again.content).toBe(name);
    again.leave();
  }
});

test("[T9] a room larger than MAX_BUFFERED_BYTES can be joined, and so can several on one socket up to the limit", async () => {
  const server = await startComposition({ MAX_BUFFERED_BYTES: "1000000", MAX_MESSAGE_BYTES: "16000000" });
  const author = await connect({ url: server.url, name: "large" }).synced();
  author.provider.setAwarenessField("user", { name: "Ana" });
  author.text.insert(0, "x".repeat(10_000_000));
  await author.saved();
  const visitor = await connect({ url: server.url, name: "large" }).synced();
  expect([visitor.text.length, visitor.closes]).toEqual([10_000_000, []]);
});

test("[T1] a refused upgrade costs no file descriptor, whatever the client does with its side", async () => {
  const server = await startProcess();
  const descriptors = (): number => readdirSync(`/proc/${server.pid}/fd`).length;
  const before = descriptors();
  const halfOpen = Array.from({ length: 50 }, () => {
    const socket = connectTcp({ port: server.port, host: "127.0.0.1", allowHalfOpen: true });
    socket.on("error", () => {});
    socket.write("GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    socket.resume();
    onTestFinished(() => void socket.destroy());
    return once(socket, "end");
  });
  await Promise.all(halfOpen);
  await until("the descriptors given back", () => descriptors() <= before);
});

test.for([
  ["an empty frame", new Uint8Array()],
  ["an address that ends too early", Uint8Array.of(10, 97)],
  ["an address without a type", Uint8Array.of(1, 97)],
  [
    "an address of two kilobytes",
    Buffer.concat([Uint8Array.of(0x80, 0x10), Buffer.alloc(2048, 97), Uint8Array.of(0)]),
  ],
] as const)("[T11] %s closes its socket with a code that asks to come back", async ([, frame]) => {
  const server = await startProcess();
  const client = await new RawClient(server.url).opened();
  client.socket.send(frame);
  expect(await client.closed()).toEqual({ code: 4205, reason: "Reset Connection" });
});

test("[T10] a store that cannot be opened is one clear line and exit code 1", async () => {
  const server = new ServerProcess({ DATABASE_URL: "sqlite:package.json/collab.sqlite" });
  expect((await server.ended()).code).toBe(1);
  expect(server.stderr.trim()).toMatch(
    /^Could not start: The store in DATABASE_URL cannot be opened: .*(ENOTDIR|EEXIST).*$/,
  );
});

test.for<[code?: number, reason?: string]>([[4401, "Unauthorized"], []])(
  "[T11] what Hocuspocus closes for a message that it could not read (%s) is no refusal",
  async (close) => {
    const server = await startComposition();
    const client = await new RawClient(server.url).inside("room");
    server.rooms.documents
      .get("room")
      ?.getConnections()[0]
      ?.webSocket.close(...close);
    expect(await client.closed()).toEqual({ code: 4205, reason: "Reset Connection" });
  },
);

test("[T11] a fault of ours while a message is handled closes its socket with 4500 and is in the log", async () => {
  const server = await startComposition();
  const client = await new RawClient(server.url).inside("room");
  const document = server.rooms.documents.get("room");
  if (!document) throw new Error("The room is open");
  vi.spyOn(document, "hasConnection").mockImplementationOnce(() => {
    throw new Error("ours");
  });
  client.firstSync("room");
  expect(await client.closed()).toEqual({ code: 4500, reason: "internal-error" });
  expect(server.log.events("message-failed")).toMatchObject([{ err: { message: "ours" } }]);
});
