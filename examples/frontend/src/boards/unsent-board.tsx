import { useEffect } from "react";
import { collabUrl } from "../collab-url.ts";
import { useRoom } from "../collab/use-room.ts";
import type { Session } from "../session/session.ts";

export interface UnsentBoardProps {
  readonly session: Session;
  readonly board: string;
  readonly onSettled: () => void;
}

/** Sends what was left behind in a board that is not looked at. Shows nothing, and nobody there sees anybody come. */
export function UnsentBoard({ session, board, onSettled }: UnsentBoardProps) {
  const open = useRoom({
    url: collabUrl,
    room: board,
    userId: session.user.id,
    token: () => session.freshToken(),
  });
  const room = open?.room;
  const status = open?.status.kind;
  useEffect(() => room?.awareness.setLocalState(null), [room]);
  useEffect(() => {
    // Refused, it may be gone from the device as well.
    if (status === "saved" || status === "out") onSettled();
  }, [status, onSettled]);
  return null;
}
