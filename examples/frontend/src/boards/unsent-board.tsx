import { useEffect } from "react";
import { collabUrl } from "../collab-url.ts";
import { useRoom } from "../collab/use-room.ts";
import type { Session } from "../session/session.ts";

export interface UnsentBoardProps {
  readonly session: Session;
  readonly board: string;
  readonly onSaved: () => void;
}

/** Sends what was left behind in a board that is not looked at. Shows nothing, and nobody there sees anybody come. */
export function UnsentBoard({ session, board, onSaved }: UnsentBoardProps) {
  const open = useRoom({ url: collabUrl, room: board, userId: session.user.id, token: session.freshToken });
  const room = open?.room;
  const isSaved = open?.status.kind === "saved";
  useEffect(() => room?.awareness.setLocalState(null), [room]);
  useEffect(() => {
    if (isSaved) onSaved();
  }, [isSaved, onSaved]);
  return null;
}
