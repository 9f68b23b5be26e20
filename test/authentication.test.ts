/** Every way of being let in and of being turned away, each with its code and reason, and nobody else notices. */
import { createHmac, generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { MessageType } from "@hocuspocus/server";
import jwt from "jsonwebtoken";
import { expect, onTestFinished, test } from "vitest";
import { accessIn } from "../auth/room-rights.ts";
import { jwtSecret, startBackend } from "./support/backend.ts";
import { connect, type Client } from "./support/client.ts";
import { RawClient } from "./support/raw-client.ts";
import { startProcess, type ServerProcess } from "./support/server-process.ts";
import { until } from "./support/until.ts";

const rooms = { "task-list-1": "write", "team/*": "read" } as const;
const sign = (claims: object, options: jwt.SignOptions = {}, key: jwt.Secret = jwtSecret): string =>
  jwt.sign({ sub: "ana", rooms, ...claims }, key, options);

/** A server that already has somebody inside, who must notice nothing. */
async function withBystander(
  env: Record<string, string>,
): Promise<{ server: ServerProcess; bystander: Client; undisturbed: () => Promise<void> }> {
  const server = await startProcess(env);
  const bystander = await connect({
    url: server.url,
    name: "task-list-1",
    token: sign({ sub: "ben" }),
  }).synced();
  const undisturbed = async (): Promise<void> => {
    bystander.text.insert(0, ".");
    await bystander.saved();
    expect([bystander.closes, bystander.denials]).toEqual([[], []]);
  };
  return { server, bystander, undisturbed };
}

test("[A1] a token of the backend's admits, with its name and its access", async () => {
  const server = await startProcess({ JWT_SECRET: jwtSecret });
  const client = await connect({ url: server.url, name: "team/plan", token: sign({ name: "Ana" }) }).synced();
  expect(client.provider.authorizedScope).toBe("readonly");
  expect((await server.logged("joined", (line) => line.event === "user-joined")).user).toBe("ana");
});

const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
const unsigned =
  `${btoa('{"alg":"none","typ":"JWT"}')}.${btoa(JSON.stringify({ sub: "ana", rooms }))}.`.replaceAll("=", "");

const refusals: readonly (readonly [what: string, token: () => string, reason: string])[] = [
  ["a foreign key", () => sign({}, {}, "another-secret-0123456789abcdef01234"), "token-invalid"],
  ["an expired token", () => sign({}, { expiresIn: -60 }), "token-expired"],
  ["a token not valid yet", () => sign({}, { notBefore: 60 }), "token-invalid"],
  ["alg: none", () => unsigned, "token-invalid"],
  ["the wrong HMAC", () => sign({}, { algorithm: "HS512" }), "token-invalid"],
  ["RS256 where HS256 is agreed", () => sign({}, { algorithm: "RS256" }, rsa.privateKey), "token-invalid"],
  ["no token", () => "", "token-invalid"],
  ["garbage", () => "not.a.token", "token-invalid"],
  ["a payload that is no JSON", () => jwt.sign("text", jwtSecret), "token-invalid"],
  ["no sub", () => jwt.sign({ rooms }, jwtSecret), "token-invalid"],
  ["a megabyte", () => "x".repeat(1_000_000), "token-invalid"],
  ["a token for another room", () => sign({ rooms: { "task-list-2": "write" } }), "room-forbidden"],
  ["a token without rooms", () => jwt.sign({ sub: "ana" }, jwtSecret), "room-forbidden"],
];

test.for(refusals)("[A2] %s is refused for good", async ([, token, reason]) => {
  const { server, undisturbed } = await withBystander({ JWT_SECRET: jwtSecret });
  const client = connect({ url: server.url, name: "task-list-1", token: token() });
  expect(await client.denied()).toBe(reason);
  await server.logged(
    "refused",
    (line) => line.event === "refused" && line["reason"] === reason && line["retry"] === false,
  );
  // Final: the provider keeps its socket and asks no more.
  expect(client.closes).toEqual([]);
  await undisturbed();
});

test("[A2] with a public key, a token signed with that key as an HMAC secret is refused", async () => {
  const publicKey = rsa.publicKey.export({ type: "spki", format: "pem" });
  const server = await startProcess({ JWT_PUBLIC_KEY: publicKey.replaceAll("\n", "\\n") });
  await connect({
    url: server.url,
    name: "task-list-1",
    token: sign({}, { algorithm: "RS256" }, rsa.privateKey),
  }).synced();
  // jsonwebtoken itself refuses to sign with a PEM as a secret; an attacker does not use it.
  const [header, payload] = [
    { alg: "HS256", typ: "JWT" },
    { sub: "eve", rooms },
  ].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"));
  const signature = createHmac("sha256", publicKey).update(`${header}.${payload}`).digest("base64url");
  const forged = connect({
    url: server.url,
    name: "task-list-1",
    token: `${header}.${payload}.${signature}`,
  });
  expect(await forged.denied()).toBe("token-invalid");
});

test("[A2] issuer and audience are required where they are set", async () => {
  const server = await startProcess({
    JWT_SECRET: jwtSecret,
    JWT_ISSUER: "our-backend",
    JWT_AUDIENCE: "collab",
  });
  const name = "task-list-1";
  expect(await connect({ url: server.url, name, token: sign({}) }).denied()).toBe("token-invalid");
  expect(
    await connect({
      url: server.url,
      name,
      token: sign({}, { issuer: "other", audience: "collab" }),
    }).denied(),
  ).toBe("token-invalid");
  await connect({
    url: server.url,
    name,
    token: sign({}, { issuer: "our-backend", audience: "collab" }),
  }).synced();
});

test("[A1] JWT_DEFAULT_ACCESS decides where the token names no rooms", async () => {
  const server = await startProcess({ JWT_SECRET: jwtSecret, JWT_DEFAULT_ACCESS: "read" });
  const client = await connect({
    url: server.url,
    name: "any",
    token: jwt.sign({ sub: "ana" }, jwtSecret),
  }).synced();
  expect(client.provider.authorizedScope).toBe("readonly");
});

test.for([
  ["plan", { plan: "read" }, "read"],
  ["plan", { "*": "write", plan: "read" }, "read"],
  ["plan", { "p*": "read", "*": "write" }, "write"],
  ["team/plan", { "team/*": "write" }, "write"],
  ["team/a/b", { "team/*": "write" }, "none"],
  ["team/a/b", { "team/**": "write" }, "write"],
  ["plan", {}, "none"],
  ["constructor", {}, "none"],
  ["plan", { "!other": "write" }, "none"],
] as const)("[A1] access to %s under %o is %s", ([room, rights, access]) => {
  expect(accessIn(rights, room)).toBe(access);
});

test("[A4] a read-only user's edit is not applied, not acknowledged, and nobody sees it", async () => {
  const { server, bystander, undisturbed } = await withBystander({ JWT_SECRET: jwtSecret });
  const reader = await connect({
    url: server.url,
    name: "task-list-1",
    token: sign({ sub: "cleo", rooms: { "task-list-1": "read" } }),
  }).synced();
  await reader.saved();
  reader.text.insert(0, "forced");
  // A barrier: what the bystander writes after it arrives, so what the reader wrote before would have.
  await undisturbed();
  await until("the bystander's edit", () => reader.content.includes("."));
  expect(bystander.content).toBe(".");
  expect(reader.provider.hasUnsyncedChanges).toBe(true);
});

test("[A4] a read-only user who comes back is told that all is saved, unless it deleted something meanwhile", async () => {
  const { server, bystander } = await withBystander({ JWT_SECRET: jwtSecret });
  bystander.text.insert(0, "abc");
  bystander.text.delete(1, 1);
  await bystander.saved();
  const token = sign({ sub: "cleo", rooms: { "task-list-1": "read" } });
  const reader = await connect({ url: server.url, name: "task-list-1", token }).saved();
  reader.leave();
  const { doc } = reader;
  const back = await connect({ url: server.url, name: "task-list-1", token, document: doc }).saved();
  back.leave();
  doc.getText("text").delete(0, 1);
  const forced = await connect({ url: server.url, name: "task-list-1", token, document: doc }).synced();
  // A barrier, as above.
  bystander.text.insert(2, "d");
  await until("the bystander's edit", () => forced.content === "cd");
  expect([forced.provider.hasUnsyncedChanges, bystander.content]).toEqual([true, "acd"]);
});

test("[A7] a room name outside ROOM_NAME_PATTERN is refused for good", async () => {
  const server = await startProcess();
  for (const name of ["with space", "ünicode", "", "x".repeat(201)]) {
    expect(await connect({ url: server.url, name }).denied()).toBe("room-name-invalid");
  }
  await connect({ url: server.url, name: "a-Z_0.9:/x" }).synced();
});

test.for(["constructor", "__proto__", "toString", "hasOwnProperty", "constructor\0session"])(
  "[A7] %s, which Hocuspocus would find in every plain object, is no room, and the socket's other rooms go on",
  async (name) => {
    const server = await startProcess();
    const client = await new RawClient(server.url).opened();
    client.login("room");
    await client.received("room", MessageType.Auth);
    client.login(name);
    client.send(name, MessageType.QueryAwareness);
    const denial = await client.received(name, MessageType.Auth);
    expect(Buffer.from(denial).toString()).toContain("room-name-invalid");
    client.firstSync("room");
    await client.received("room", MessageType.Sync);
    expect(client.close).toBeNull();
  },
);

test("[A7] a socket that addresses a room by its name is not let in there by name and session as well", async () => {
  const server = await startProcess();
  const client = await new RawClient(server.url).inside("room");
  client.login("room\0session");
  await client.refused("room\0session", "room-name-invalid");
  client.login("other\0session");
  await client.received("other\0session", MessageType.Auth);
  expect(client.close).toBeNull();
});

test.for([
  ["401", "an unknown token", (token: string) => `${token}x`, "task-list-1", "token-invalid"],
  ["403", "a room without a right", (token: string) => token, "somebody-elses", "room-forbidden"],
] as const)("[A2] the backend's %s is final: %s", async ([, , tokenFrom, name, reason]) => {
  const backend = await startBackend();
  const server = await startProcess(backend.serverEnv);
  const client = connect({ url: server.url, name, token: tokenFrom(await backend.login("ana")) });
  expect(await client.denied()).toBe(reason);
  expect(client.closes).toEqual([]);
});

test.for(["error500", "garbage", "hang"] as const)(
  "[A3] the backend's trouble (%s) asks to come back, and the same client gets in once it is over",
  async (fault) => {
    const backend = await startBackend();
    const server = await startProcess({ ...backend.serverEnv, AUTH_WEBHOOK_TIMEOUT_MS: "300" });
    const token = await backend.login("ana");
    const inside = await connect({ url: server.url, name: "task-list-1", token }).synced();
    await backend.fault(fault);
    const client = connect({ url: server.url, name: "task-list-1", token });
    expect(await client.closedWith(4502)).toEqual({ code: 4502, reason: "auth-unavailable" });
    expect(client.denials).toEqual([]);
    inside.text.insert(0, "not disturbed");
    await inside.saved();
    expect(inside.closes).toEqual([]);
    await backend.fault("none");
    await client.synced();
    expect(client.content).toBe("not disturbed");
  },
);

test("[A3] a backend that is not there at all asks to come back", async () => {
  const server = await startProcess({
    AUTH_WEBHOOK_URL: "http://127.0.0.1:9/authorize",
    AUTH_WEBHOOK_SECRET: jwtSecret,
  });
  const client = connect({ url: server.url, name: "task-list-1" });
  await client.closedWith(4502);
  expect(client.denials).toEqual([]);
  // The operator is told why, once where it happened.
  const cause = await server.logged("the cause", (line) => line.event === "refusal-cause");
  expect(JSON.stringify(cause)).toContain("bad port");
});

test("[A2] a refusal is final however long the page that comes with it", async () => {
  const backend = createServer((request, response) => {
    request.resume();
    response.writeHead(403).end("x".repeat(200_000));
  });
  onTestFinished(() => void backend.close());
  await once(backend.listen(0, "127.0.0.1"), "listening");
  const { port } = backend.address() as AddressInfo;
  const server = await startProcess({
    AUTH_WEBHOOK_URL: `http://127.0.0.1:${port}/`,
    AUTH_WEBHOOK_SECRET: jwtSecret,
  });
  expect(await connect({ url: server.url, name: "room" }).denied()).toBe("room-forbidden");
});

test("[A3] a shared secret that differs is our trouble, not the user's", async () => {
  const backend = await startBackend();
  const server = await startProcess({
    ...backend.serverEnv,
    AUTH_WEBHOOK_SECRET: "another-webhook-secret-0123456789abcdef",
  });
  const client = connect({ url: server.url, name: "task-list-1", token: await backend.login("ana") });
  await client.closedWith(4502);
  expect(client.denials).toEqual([]);
});

test("[A5] twenty clients with one token and room are one question to a slow backend, and all get in", async () => {
  const backend = await startBackend();
  const server = await startProcess(backend.serverEnv);
  const token = await backend.login("ana");
  await backend.fault("slow", 1000);
  const clients = Array.from({ length: 20 }, () => connect({ url: server.url, name: "task-list-1", token }));
  await Promise.all(clients.map((client) => client.synced()));
  expect((await backend.calls()).calls).toBe(1);
});

test("[A5] never more than 64 questions at once, whoever asks", async () => {
  const backend = await startBackend();
  const server = await startProcess({ ...backend.serverEnv, AUTH_WEBHOOK_TIMEOUT_MS: "10000" });
  const token = await backend.login("ana");
  // Long enough for all 64 to come in, on any machine.
  await backend.fault("slow", 1500);
  const clients = Array.from({ length: 100 }, (_, index) =>
    connect({ url: server.url, name: `room-${index}`, token }),
  );
  await Promise.all(clients.map((client) => client.denied()));
  expect(await backend.calls()).toEqual({ calls: 100, maxInFlight: 64 });
});

test("[A6] rights changed in the backend while it runs hold from the next entry", async () => {
  const backend = await startBackend();
  const server = await startProcess(backend.serverEnv);
  const token = await backend.login("cleo");
  const enter = (): Client => connect({ url: server.url, name: "task-list-2", token });
  expect(await enter().denied()).toBe("room-forbidden");
  await backend.grant("task-list-2", "cleo", "read");
  expect((await enter().synced()).provider.authorizedScope).toBe("readonly");
  await backend.grant("task-list-2", "cleo", "write");
  expect((await enter().synced()).provider.authorizedScope).toBe("read-write");
  await backend.withdraw("task-list-2", "cleo");
  expect(await enter().denied()).toBe("room-forbidden");
});

test("[A8] jwt+webhook: a forged token never reaches the backend, a good one is decided there", async () => {
  const backend = await startBackend();
  const server = await startProcess({ ...backend.serverEnv, JWT_SECRET: jwtSecret });
  const forged = sign({}, {}, "another-secret-0123456789abcdef01234");
  expect(await connect({ url: server.url, name: "task-list-1", token: forged }).denied()).toBe(
    "token-invalid",
  );
  expect((await backend.calls()).calls).toBe(0);
  const client = await connect({
    url: server.url,
    name: "task-list-1",
    token: await backend.login("ana"),
  }).synced();
  expect(client.provider.authorizedScope).toBe("read-write");
  expect((await backend.calls()).calls).toBe(1);
});
