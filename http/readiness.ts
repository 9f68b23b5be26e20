/** What `/readyz` looks at, and which trouble is a reason to send people elsewhere. */
import type { FanOut } from "../fanout/fan-out.ts";
import { OtherStore } from "../fanout/store-agreement.ts";
import type { Drain } from "../lib/drain.ts";
import type { RoomMemory } from "../limits/room-memory.ts";
import type { Journal } from "../storage/journal.ts";
import type { Store } from "../storage/store.ts";
import { Degraded, type HealthOptions } from "./health.ts";

export interface Parts {
  readonly drain: Pick<Drain, "check">;
  readonly journal: Pick<Journal, "trouble">;
  readonly store: Pick<Store, "check">;
  readonly memory: Pick<RoomMemory, "isPressed">;
  /** Null where there is one instance. */
  readonly fanOut: Pick<FanOut, "trouble"> | null;
}

export function readiness({ drain, journal, store, memory, fanOut }: Parts): HealthOptions["checks"] {
  return {
    server: drain.check,
    storage: async () => {
      if (journal.trouble) throw journal.trouble;
      await store.check();
    },
    memory: async () => {
      // Those inside go on, and what helps is fewer rooms, not a restart.
      if (memory.isPressed) throw new Degraded("open rooms take three quarters of MAX_ROOMS_BYTES");
    },
    ...(fanOut && {
      // Whoever is sent here is served: without Redis nobody is, with this part a reason to send people elsewhere.
      redis: async () => {
        if (fanOut.trouble instanceof OtherStore) throw fanOut.trouble;
        if (fanOut.trouble) throw new Degraded(fanOut.trouble.message);
      },
    }),
  };
}
