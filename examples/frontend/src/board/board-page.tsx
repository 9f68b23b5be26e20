import { useEffect, useState } from "react";
import type { Board } from "../boards/board-access.ts";
import { MembersDialog } from "../boards/members-dialog.tsx";
import { useRoom, type OpenRoom } from "../collab/use-room.ts";
import { PeopleHere } from "../people/people-here.tsx";
import type { Session } from "../session/session.ts";
import { BoardView } from "./board-view.tsx";
import { RefusalView } from "./refusal-view.tsx";
import { StatusLine } from "./status-line.tsx";
import { UndoButtons } from "./undo-buttons.tsx";
import { useUndo } from "./use-undo.ts";

export interface BoardPageProps {
  readonly session: Session;
  readonly board: Board;
  readonly people: readonly { readonly id: string; readonly name: string }[];
  /** What the server lets this person do, when it has changed; null while it is not known, and where they may do nothing. */
  readonly onAccess: (access: OpenRoom["access"]) => void;
  readonly onSignedOut: (notice: string) => void;
  /** Whether leaving now would lose something. */
  readonly onUnsaved: (changes: number) => void;
}

export function BoardPage({ session, board, people, onAccess, onSignedOut, onUnsaved }: BoardPageProps) {
  const open = useRoom({
    url: `${location.origin.replace(/^http/, "ws")}/collab`,
    room: board.id,
    userId: session.user.id,
    token: session.freshToken,
  });
  const [showsMembers, setShowsMembers] = useState(false);
  const refusal = open?.status.kind === "out" ? open.status.refusal : null;
  const access = refusal ? null : (open?.access ?? null);
  const undo = useUndo(open?.room.document ?? null);
  const isShown = !refusal && open?.isLoaded && undo;
  const isEditable = access === "write";

  useEffect(() => {
    onAccess(access);
  }, [access, onAccess]);
  useEffect(() => {
    onUnsaved(unsavedIn(open));
  }, [open, onUnsaved]);
  useEffect(() => {
    if (refusal?.next === "login") onSignedOut(refusal.text);
  }, [refusal, onSignedOut]);

  return (
    <main className="board-page">
      <div className="board-head">
        <h1>{board.name}</h1>
        {open && <StatusLine status={open.status} />}
        <div className="board-tools">
          {open && <PeopleHere others={open.others} />}
          {undo && isEditable && <UndoButtons undo={undo} />}
          <button
            type="button"
            className="quiet"
            onClick={() => setShowsMembers(true)}
            disabled={refusal !== null}
          >
            Members
          </button>
        </div>
      </div>
      {refusal && open && <RefusalView refusal={refusal} onRetry={open.retry} />}
      {isShown && (
        <BoardView
          room={open.room}
          isEditable={isEditable}
          others={open.others}
          people={people}
          undo={undo}
        />
      )}
      {!refusal && !isShown && <p className="hint loading">Opening the board …</p>}
      {showsMembers && (
        <MembersDialog session={session} board={board} onClose={() => setShowsMembers(false)} />
      )}
    </main>
  );
}

function unsavedIn(open: OpenRoom | null): number {
  const status = open?.status;
  if (status?.kind === "offline") return status.changes;
  if (status?.kind === "read-only") return status.unsaved;
  return status?.kind === "saving" ? 1 : 0;
}
