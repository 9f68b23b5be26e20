/** A deploy that nobody notices: a small run of the rolling restart (campaigns/rolling; `npm run rolling` is the large one). */
import { expect, onTestFinished, test } from "vitest";
import { createDatabase } from "../campaigns/database.ts";
import { runCampaign } from "../campaigns/rolling/campaign.ts";
import { describeWithRedis } from "./support/redis.ts";

const TIMEOUT_MS = 120_000;

describeWithRedis("rolling restart", (redis) => {
  test(
    "[D7] [D8] two instances are restarted under load: everybody is back, and every edit is on disk",
    async () => {
      const database = await createDatabase("sqlite");
      onTestFinished(() => database.remove());
      const report = await runCampaign({
        database,
        redisUrl: redis.url,
        instances: 2,
        clients: 30,
        rooms: 5,
        writers: 10,
        crowds: 1,
        editEveryMs: 200,
        checkEveryMs: 250,
        // Two seconds of notice.
        shutdownSeconds: 10,
      });
      expect(report).toMatchObject({ lost: [], unsaved: [], missing: 0, problems: [] });
      // Those of the first, and then all of them.
      expect(report.absences.length).toBeGreaterThanOrEqual(30);
      expect(new Set(report.absences.map(({ code }) => code))).toEqual(new Set([1012]));
    },
    TIMEOUT_MS,
  );
});
