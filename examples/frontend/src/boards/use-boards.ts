import { useCallback, useEffect, useRef, useState } from "react";
import { forgetCopies } from "../collab/copies.ts";
import { refusalFor } from "../collab/reasons.ts";
import { SignedOut } from "../collab/signed-out.ts";
import type { Session } from "../session/session.ts";
import { type Board, fetchBoards } from "./board-access.ts";

const BOARDS = "boards";

export interface Boards {
  /** Null while they are not known: never fetched, and the backend has not answered. */
  readonly boards: readonly Board[] | null;
  readonly hasTrouble: boolean;
  /** After something that may have changed them. */
  readonly reload: () => void;
}

/** The side bar's boards: at the start, and again whenever the page is looked at. Those of before stay while the backend is away. */
export function useBoards(session: Session, onSignedOut: (notice: string) => void): Boards {
  const { user, remembered } = session;
  const [boards, setBoards] = useState(() => remembered.read(BOARDS) as readonly Board[] | null);
  const [hasTrouble, setHasTrouble] = useState(false);
  const asked = useRef<AbortController>(null);

  const reload = useCallback(() => {
    // One answer counts, that of the last question: an earlier one may come later, and after the end of the session none does.
    asked.current?.abort();
    const { signal } = (asked.current = new AbortController());
    fetchBoards(session, signal).then(
      (found) => {
        if (signal.aborted) return;
        setBoards(found);
        setHasTrouble(false);
        remembered.write(BOARDS, found);
        // What was taken from them while they were elsewhere is not theirs to see any more, also without a network.
        const except = found.filter(({ access }) => access !== null).map(({ id }) => id);
        void forgetCopies(user.id, { except });
      },
      (error: unknown) => {
        if (signal.aborted) return;
        if (error instanceof SignedOut) onSignedOut(refusalFor("token-expired").text);
        else setHasTrouble(true);
      },
    );
  }, [session, user.id, remembered, onSignedOut]);

  useEffect(() => {
    reload();
    addEventListener("focus", reload);
    addEventListener("online", reload);
    return () => {
      asked.current?.abort();
      removeEventListener("focus", reload);
      removeEventListener("online", reload);
    };
  }, [reload]);

  return { boards, hasTrouble, reload };
}
