import { copyFileSync, existsSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { connect, type Client } from "../support/client.ts";
import { startProcess, type LogLine } from "../support/server-process.ts";
import { tempDatabase, tempDir } from "../support/temp-dir.ts";
import { expectStartRefused, Scene } from "./scene.ts";

/** In a folder that is not there yet. */
const inNewFolder = (): { path: string; url: string } => {
  const path = join(tempDir(), "not", "yet", "collab.sqlite");
  return { path, url: `sqlite:${path}` };
};

test("[S12] a folder that does not exist is created at the start", async () => {
  const { path, url } = inNewFolder();
  await startProcess({ DATABASE_URL: url });
  expect(existsSync(path)).toBe(true);
});

test("[S12] rm -rf of the folder under the server: the file is written anew before anything is acknowledged", async () => {
  const { path, url } = inNewFolder();
  const scene = await Scene.open(url);
  rmSync(dirname(path), { recursive: true });
  await scene.edit("after the loss ");
  await scene.expectFreeLoop();
  await scene.expectServiceAgain();
  await scene.expectNothingLost();
});

test("[S12] a file that is not back yet, while its log is there, is no reason to begin anew and delete the log", async () => {
  const { path, url } = tempDatabase();
  const scene = await Scene.open(url);
  await scene.edit("in the log ");
  await scene.acknowledged();
  await scene.server.ended("SIGKILL");
  renameSync(path, `${path}.aside`);
  await expectStartRefused(url, /is not there, but .*-wal is/);
  renameSync(`${path}.aside`, path);
  await scene.expectNothingLost();
});

test("[S12] the file is written anew as often as it is deleted", async () => {
  const { path, url } = inNewFolder();
  const scene = await Scene.open(url);
  for (let round = 0; round < 3; round++) {
    rmSync(path);
    await scene.edit(`round ${round} `);
    await scene.acknowledged();
  }
  await scene.expectNothingLost();
});

test("[S12] somebody enters a room before the next edit: the deleted file is not lost with that load", async () => {
  const { path, url } = inNewFolder();
  const scene = await Scene.open(url);
  rmSync(dirname(path), { recursive: true });
  const visitor = await connect({ url: scene.server.url, name: "third" }).synced();
  expect(visitor.content).toBe("");
  await scene.expectServiceAgain();
  await scene.expectNothingLost();
});

test("[S12] nobody edits: the question for readiness brings the deleted file back", async () => {
  const { path, url } = inNewFolder();
  const scene = await Scene.open(url);
  rmSync(dirname(path), { recursive: true });
  await scene.expectRedReadiness(/written anew/);
  await scene.expectServiceAgain();
  await scene.expectNothingLost();
});

test("[S12] a room that unloads while the file is gone takes nothing with it", async () => {
  const { path, url } = inNewFolder();
  const scene = await Scene.open(url, { ROOM_IDLE_SECONDS: "0", LOG_LEVEL: "debug" });
  const visit = async (room: string): Promise<Client> => {
    const visitor = connect({ url: scene.server.url, name: room });
    visitor.text.insert(0, "x");
    return visitor.saved();
  };
  const merged = (room: string): Promise<unknown> =>
    scene.server.logged("merged", (line) => line.event === "compacted" && line.room === room);
  (await visit("second")).leave();
  await merged("second");

  const visitor = await visit("third");
  rmSync(dirname(path), { recursive: true });
  visitor.leave();
  await scene.server.logged("no merge", (line) => line.event === "compaction-failed");
  await scene.expectServiceAgain();
  // Whoever merges notices only now that it has the old file.
  (await visit("fourth")).leave();
  const tried = (line: LogLine): boolean =>
    line.room === "fourth" && Boolean(line.event?.startsWith("compact"));
  expect((await scene.server.logged("a try to merge", tried)).event).toBe("compacted");
  await scene.expectNothingLost();
  const again = await startProcess({ DATABASE_URL: url });
  expect((await connect({ url: again.url, name: "third" }).synced()).content).toBe("x");
});

test("[S12] another file in its place: no ack until a restart, and whoever is inside keeps everything", async () => {
  const { path, url } = tempDatabase();
  const scene = await Scene.open(url);
  replaceByCopy(path);
  await scene.expectRedReadiness(/replaced while the server ran/);
  await scene.expectAcksWithheld(/replaced while the server ran/);
});

test("[S12] a visitor of another room does not make the server accept the file in its place", async () => {
  const { path, url } = tempDatabase();
  const scene = await Scene.open(url);
  replaceByCopy(path);
  const visitor = connect({ url: scene.server.url, name: "third" });
  expect(await visitor.closedWith(4501)).toMatchObject({ reason: "storage-unavailable" });
  await scene.expectAcksWithheld(/replaced while the server ran/);
});

/** As an operator does who plays back a backup. */
function replaceByCopy(path: string): void {
  copyFileSync(path, `${path}.backup`);
  renameSync(`${path}.backup`, path);
}
