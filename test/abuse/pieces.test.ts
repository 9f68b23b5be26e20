/** Messages in as many pieces as can be made of them: what they cost is not what came over the wire. */
// oxlint-disable no-underscore-dangle -- private fields of `ws`
import type { Socket } from "node:net";
import { MessageType } from "@hocuspocus/server";
import { expect, test } from "vitest";
import { pieceLimits } from "../../limits/message-pieces.ts";
import { startComposition } from "../support/composition.ts";
import { RawClient } from "../support/raw-client.ts";
import { clientFrame, TcpClient } from "../support/tcp-client.ts";
import { until } from "../support/until.ts";
import { Bystanders } from "./bystanders.ts";

const BINARY = 0x2;
const CONTINUATION = 0x0;
const MEGABYTE = 1024 * 1024;

const oneByte = Uint8Array.of(1);
const open = (count: number, url: string): Promise<TcpClient[]> =>
  Promise.all(Array.from({ length: count }, () => TcpClient.open(url)));

test.for([
  [8 * MEGABYTE, { maxFragments: 1024, maxBufferedChunks: 8192 }],
  [1024, { maxFragments: 256, maxBufferedChunks: 256 }],
] as const)("[M18] the largest message of %i bytes may come in %o", ([bytes, limits]) => {
  expect(pieceLimits(bytes)).toEqual(limits);
});

test(
  "[M18] strangers who send a message in tiny fragments are closed, and the others notice nothing",
  { timeout: 60_000 },
  async () => {
    const server = await startComposition();
    const bystanders = await Bystanders.join(server.url);
    const fragments = Buffer.concat([
      clientFrame(BINARY, oneByte, { fin: false }),
      ...Array.from({ length: 16 }, () => clientFrame(CONTINUATION, oneByte, { fin: false })),
    ]);
    await bystanders.during(
      (async () => {
        const strangers = await open(50, server.url);
        for (const stranger of strangers) await stranger.write(fragments);
        await until("all closed", () => strangers.every(({ closeCode }) => closeCode === 1008));
      })(),
    );
  },
);

test("[M18] so are those in a room, with as many as a browser needs for the largest message", async () => {
  const limits = { MAX_MESSAGE_BYTES: String(MEGABYTE) };
  const { maxFragments } = pieceLimits(MEGABYTE);
  const server = await startComposition(limits);
  const bystanders = await Bystanders.join(server.url);
  await bystanders.during(
    (async () => {
      const member = await new RawClient(server.url).inside("room");
      const fragment = (fin: boolean): void => member.socket.send(Buffer.alloc(10), { fin });
      // A message in which nothing is meant: an address of no bytes, that is not asked for.
      for (let i = 1; i < maxFragments; i++) fragment(false);
      fragment(true);
      await member.caughtUp();
      expect(member.close).toBeNull();
      for (let i = 0; i <= maxFragments; i++) fragment(false);
      expect((await member.closed()).code).toBe(1008);
    })(),
  );
});

test("[M18] who has left all rooms has no more fragments than a stranger", async () => {
  const server = await startComposition();
  const client = await new RawClient(server.url).inside("room");
  const fragments = (count: number): void => {
    for (let i = 0; i < count; i++) client.socket.send(oneByte, { fin: false });
  };
  client.send("room", MessageType.CLOSE);
  await until("a stranger again", () => server.usage().unauthenticated === 1);
  fragments(16);
  await client.caughtUp();
  expect(client.close).toBeNull();
  fragments(1);
  expect((await client.closed()).code).toBe(1008);
});

test("[M9] a packet of one byte counts with what it costs", async () => {
  const server = await startComposition();
  const stranger = await TcpClient.open(server.url);
  // The part that does not count.
  await stranger.write(clientFrame(BINARY, Buffer.alloc(20_000), { claimedBytes: 30_000 }));
  await until("counted", () => server.usage().waitingBytes > 0);
  const before = server.usage().waitingBytes;
  for (let i = 1; i <= 20; i++) {
    await stranger.write(oneByte);
    await until("counted", () => server.usage().waitingBytes >= before + 600 * i);
  }
  stranger.socket.destroy();
  await until("given back", () => server.usage().waitingBytes === 0);
});

test("[M18] so is a socket with a message of thousands of tiny packets, also of somebody in a room", async () => {
  const limits = { MAX_MESSAGE_BYTES: String(100 * 1024) };
  const server = await startComposition(limits);
  const bystanders = await Bystanders.join(server.url);
  await bystanders.during(
    (async () => {
      const member = await new RawClient(server.url).inside("room");
      await until("inside", () => server.usage().unauthenticated === 0);
      const stream = streamOf(member);
      stream.setNoDelay(true);
      stream.write(clientFrame(BINARY, oneByte, { claimedBytes: 100_000 }));
      await until("closed", () => {
        if (!member.close) stream.write(oneByte);
        return member.close;
      });
      expect(member.close?.code).toBe(1008);
    })(),
  );
});

/** The connection below `ws`. */
function streamOf({ socket }: RawClient): Socket {
  return (socket as unknown as { readonly _socket: Socket })._socket;
}
