import { join } from "node:path";
import { expectStartRefused, Scene } from "./scene.ts";
import { diskTest, SmallDisk } from "./small-disk.ts";

const FILES = ["collab.sqlite", "collab.sqlite-wal"];

diskTest(
  "[S2] files that become read-only under the server: acks are withheld until they can be written",
  async () => {
    const disk = new SmallDisk();
    const scene = await Scene.open(`sqlite:${join(disk.path, "collab.sqlite")}`);
    disk.setReadOnly(FILES, true);
    await scene.expectRedReadiness(/EPERM/);
    await scene.expectAcksWithheld(/SQLITE_IOERR_WRITE/);
    disk.setReadOnly(FILES, false);
    await scene.expectServiceAgain();
    await scene.expectNothingLost();
  },
);

diskTest(
  "[S2] a disk that dies under the server: no ack from then on, and nothing acknowledged is lost",
  async () => {
    const disk = new SmallDisk();
    const scene = await Scene.open(`sqlite:${join(disk.path, "collab.sqlite")}`);
    disk.breakDown();
    await scene.expectAcksWithheld(/SQLITE_(IOERR|READONLY)/);
    await scene.crash();
    disk.repair();
    await scene.expectNothingLost();
  },
);

diskTest("[T10] a file on a read-only file system is no store to start with", async () => {
  const disk = new SmallDisk();
  const url = `sqlite:${join(disk.path, "collab.sqlite")}`;
  const scene = await Scene.open(url);
  await scene.crash();
  disk.setMountReadOnly();
  await expectStartRefused(url, /DATABASE_URL cannot be opened: EROFS/);
});
