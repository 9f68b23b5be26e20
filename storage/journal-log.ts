/** The journal's trouble in the log: one line when it begins, one when it is over, and each attempt in between for whoever looks closely. */
import type { Log } from "../lib/log.ts";
import type { JournalEvents } from "./journal.ts";

export function journalLog(log: Log): Pick<JournalEvents, "onTrouble" | "onRecovered"> {
  return {
    onTrouble: (error, attempt) =>
      log[attempt === 1 ? "error" : "debug"](
        { event: "health", storage: "failing", attempt, err: error },
        "🩺 Edits cannot be saved",
      ),
    onRecovered: () => log.info({ event: "health", storage: "ok" }, "🩺 Edits are saved again"),
  };
}
