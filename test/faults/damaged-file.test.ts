import { expect, test } from "vitest";
import { tempDatabase } from "../support/temp-dir.ts";
import { checkpoint, cutOff, flipAt, flipBit, inDatabase } from "./damage.ts";
import { expectStartRefused, Scene } from "./scene.ts";

const halfOf = (size: number): number => Math.floor(size / 2);
const nothingOf = (): number => 0;

/** A file with a room that is all in its main part, and a server that may have been killed. */
async function stored(kill: boolean): Promise<{ path: string; url: string; scene: Scene }> {
  const { path, url } = tempDatabase();
  const scene = await Scene.open(url, { LOG_LEVEL: "debug" });
  await scene.edit("x".repeat(20_000));
  await scene.acknowledged();
  if (kill) await scene.crash();
  checkpoint(path);
  return { path, url, scene };
}

test.for([
  ["half", halfOf, /malformed|damaged/],
  ["nothing", nothingOf, /has 0 bytes/],
] as const)("[S12] a file of which %s is left is refused at the start", async ([, left, reason]) => {
  const { path, url, scene } = await stored(true);
  const putBack = cutOff(path, left);
  await expectStartRefused(url, reason);
  putBack();
  await scene.expectNothingLost();
});

test.for([
  ["half", halfOf],
  ["nothing", nothingOf],
] as const)("[S2] a file is cut down to %s under the server: no ack until it is whole", async ([, left]) => {
  const { path, scene } = await stored(false);
  // As its operator does every few seconds: the server has seen how large the file is.
  expect((await scene.readiness()).status).toBe(200);
  const putBack = cutOff(path, left);
  await scene.expectAcksWithheld(/was cut off|SQLITE_CORRUPT|SQLITE_NOTADB|SQLITE_IOERR/);
  // Nothing is heaped up in the file meanwhile, however often the journal tries.
  await scene.server.logged("a second try", (line) => line["attempt"] === 2);
  putBack();
  await scene.expectServiceAgain();
  const rows = inDatabase(path, (db) =>
    db.prepare("SELECT count(*) FROM journal WHERE name = 'room'").pluck().get(),
  );
  expect(rows).toBe(scene.edits);
  await scene.expectNothingLost();
});

test("[S12] a damaged header is refused at the start", async () => {
  const { path, url, scene } = await stored(true);
  flipAt(path, 0);
  await expectStartRefused(url, /file is not a database/);
  flipAt(path, 0);
  await scene.expectNothingLost();
});

test.for(["journal_by_name", "sqlite_autoindex_documents_1"])(
  "[S3] a flipped bit in the index %s is refused at the start: rooms would be shown with holes",
  async (index) => {
    const { path, url, scene } = await stored(true);
    if (index.includes("documents")) await scene.compactByOrderlyStop();
    checkpoint(path);
    flipBit(path, "room", index);
    await expectStartRefused(url, /rows of (journal|documents) are not in its index/);
    flipBit(path, "soom", index);
    await scene.expectNothingLost();
  },
);

test.for([
  ["the header", (path: string) => flipAt(path, 0)],
  ["an index", (path: string) => flipBit(path, "room", "journal_by_name")],
] as const)(
  "[S2] a flipped bit in %s under the server: it goes on, and after a crash shows all or refuses to start",
  async ([, flip]) => {
    const { path, url, scene } = await stored(false);
    flip(path);
    await scene.edit("after the flip ");
    await scene.expectFreeLoop();
    await scene.expectNothingLostOr(() => expectStartRefused(url, /not a database|damaged|malformed/));
  },
);
