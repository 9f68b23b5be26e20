import { useCallback, useEffect, useState } from "react";
import { unsavedCopies } from "../collab/copies.ts";

export interface Unsent {
  /** Board → edits on this device that the server has not acknowledged, of the boards that are not open. */
  readonly unsent: ReadonlyMap<string, number>;
  readonly refresh: () => void;
}

/** Boards that were left, in this visit or an earlier one, before everything was saved. */
export function useUnsent(userId: string, open: string | null): Unsent {
  const [unsent, setUnsent] = useState<ReadonlyMap<string, number>>(new Map());
  const refresh = useCallback(() => {
    void unsavedCopies(userId).then((found) => {
      const others = [...found].filter(([room]) => room !== open);
      setUnsent((before) => (before.size === 0 && others.length === 0 ? before : new Map(others)));
    });
  }, [userId, open]);
  useEffect(refresh, [refresh]);
  return { unsent, refresh };
}
