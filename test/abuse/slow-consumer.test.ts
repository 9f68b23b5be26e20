/** Who asks and does not read: what waits for it is the server's memory. */
import { expect, onTestFinished, test } from "vitest";
import * as Y from "yjs";
import { connect } from "../support/client.ts";
import { startComposition, type Composition } from "../support/composition.ts";
import { RawClient } from "../support/raw-client.ts";
import { until } from "../support/until.ts";
import { Bystanders } from "./bystanders.ts";

const MAX_BUFFERED = 1024 * 1024;
/** Large beside MAX_BUFFERED, so that two of them beyond it are told from one. */
const EDIT_BYTES = 600_000;
/** Addresses and types around an edit, acks and presence. */
const SLACK = 10_000;

const refused = (server: Composition, reason: string): boolean =>
  server.log.events("refused").some((line) => line["reason"] === reason);

/** The highest of the values in every turn of the event loop, which the server shares: it may stand for less than a round trip. */
function highest(value: () => number): () => number {
  let most = 0;
  const look = (): void => {
    most = Math.max(most, value());
    looking = setImmediate(look);
  };
  let looking = setImmediate(look);
  onTestFinished(() => clearImmediate(looking));
  return () => most;
}

test(
  "[M13] of somebody who does not read while others write, MAX_BUFFERED_BYTES and a message wait at most",
  { timeout: 60_000 },
  async () => {
    const server = await startComposition({ MAX_BUFFERED_BYTES: String(MAX_BUFFERED) });
    const bystanders = await Bystanders.join(server.url);
    const lazy = await new RawClient(server.url).inside("room");
    lazy.socket.pause();
    const writer = await connect({ url: server.url, name: "room" }).saved();
    const most = highest(() => server.usage().mostBufferedBytes);
    await bystanders.during(
      (async () => {
        await until(
          "cut off",
          async () => {
            writer.text.insert(0, "x".repeat(EDIT_BYTES));
            await writer.saved();
            writer.text.delete(0, EDIT_BYTES);
            return refused(server, "slow-consumer");
          },
          { timeoutMs: 30_000 },
        );
      })(),
    );
    expect(most()).toBeGreaterThan(MAX_BUFFERED / 2);
    expect(most()).toBeLessThanOrEqual(MAX_BUFFERED + EDIT_BYTES + SLACK);
    await until("memory is back", () => server.usage().bufferedBytes === 0);
    lazy.socket.resume();
    // Cut off without a word, which it would not have read.
    expect((await lazy.closed()).code).toBe(1006);
  },
);

test(
  "[M13] 300 first syncs of a 2 MB room from somebody who does not read stay bounded",
  { timeout: 60_000 },
  async () => {
    const server = await startComposition();
    const bystanders = await Bystanders.join(server.url);
    const doc = new Y.Doc();
    for (let i = 0; i < 20; i++) doc.getText(`text ${i}`).insert(0, "x".repeat(100_000));
    const author = await new RawClient(server.url).inside("room");
    author.update("room", Y.encodeStateAsUpdate(doc));
    await until("saved", () => author.acksTo("room") > 0);
    const lazy = await new RawClient(server.url).inside("room");
    lazy.socket.pause();
    let most = 0;
    await bystanders.during(
      (async () => {
        for (let i = 0; i < 300; i++) lazy.firstSync("room");
        await until("not listened to", () => {
          most = Math.max(most, server.usage().bufferedBytes);
          return refused(server, "rate-limited") || refused(server, "slow-consumer");
        });
      })(),
    );
    // One answer at a time, whoever asks how often.
    expect(most).toBeLessThan(3 * 2 * 1024 * 1024);
    lazy.socket.terminate();
    await until("memory is back", () => server.usage().bufferedBytes === 0);
  },
);
