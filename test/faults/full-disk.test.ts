import { join } from "node:path";
import { Scene } from "./scene.ts";
import { diskTest, SmallDisk } from "./small-disk.ts";

diskTest(
  "[S2] a full disk: acks are withheld, the rest goes on, and all is saved once there is room",
  async () => {
    const disk = new SmallDisk();
    const scene = await Scene.open(`sqlite:${join(disk.path, "collab.sqlite")}`);
    const free = disk.fill();
    await scene.expectAcksWithheld(/SQLITE_FULL/);
    free();
    await scene.expectServiceAgain();
    await scene.expectNothingLost();
  },
);

diskTest(
  "[S2] a disk that fills up again and again in the middle of edits loses none of those acknowledged",
  async () => {
    const disk = new SmallDisk();
    const scene = await Scene.open(`sqlite:${join(disk.path, "collab.sqlite")}`);
    for (let round = 0; round < 3; round++) {
      // Larger than a page, so that a commit finds room for a part of it.
      await scene.edit("x".repeat(50_000));
      const free = disk.fill();
      await scene.edit("y".repeat(50_000));
      free();
      await scene.acknowledged();
    }
    await scene.expectNothingLost();
  },
);
