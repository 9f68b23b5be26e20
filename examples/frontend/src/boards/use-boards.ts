import { useCallback, useEffect, useState } from "react";
import { refusalFor } from "../collab/reasons.ts";
import { SignedOut } from "../collab/signed-out.ts";
import type { Session } from "../session/session.ts";
import { type Board, fetchBoards } from "./board-access.ts";

export interface Boards {
  readonly boards: readonly Board[];
  /** After something that may have changed them. */
  readonly reload: () => void;
}

/** The side bar's boards: at the start, and again whenever the page is looked at. Those of before stay while the backend is away. */
export function useBoards(session: Session, onSignedOut: (notice: string) => void): Boards {
  const [boards, setBoards] = useState<readonly Board[]>(() => remembered(session.user.id));

  const reload = useCallback(() => {
    fetchBoards(session).then(
      (found) => {
        setBoards(found);
        sessionStorage.setItem(keyOf(session.user.id), JSON.stringify(found));
      },
      (error: unknown) => {
        if (error instanceof SignedOut) onSignedOut(refusalFor("token-expired").text);
      },
    );
  }, [session, onSignedOut]);

  useEffect(() => {
    reload();
    addEventListener("focus", reload);
    return () => removeEventListener("focus", reload);
  }, [reload]);

  return { boards, reload };
}

const keyOf = (userId: string): string => `righttask-boards:${userId}`;

function remembered(userId: string): readonly Board[] {
  return JSON.parse(sessionStorage.getItem(keyOf(userId)) ?? "[]") as readonly Board[];
}
