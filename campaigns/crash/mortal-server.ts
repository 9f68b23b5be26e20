/** `server.ts` with one thing more: SIGUSR2 ends its storage workers, as a crash of them would. The product has no such way in. */
import { runProcess } from "../../lib/run-process.ts";
import { startServer } from "../../server.ts";

await runProcess(async (parts) => {
  const running = await startServer(parts);
  process.on("SIGUSR2", () => void running.store.end());
  return running;
});
