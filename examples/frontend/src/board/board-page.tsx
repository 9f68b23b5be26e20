import { useEffect, useState } from "react";
import type { Board } from "../boards/board-access.ts";
import { collabUrl } from "../collab-url.ts";
import { MembersDialog } from "../boards/members-dialog.tsx";
import { useRoom, type OpenRoom } from "../collab/use-room.ts";
import { PeopleHere } from "../people/people-here.tsx";
import type { Session } from "../session/session.ts";
import { BoardView } from "./board-view.tsx";
import { RefusalView } from "./refusal-view.tsx";
import { StatusLine } from "./status-line.tsx";
import { UndoButtons } from "./undo-buttons.tsx";
import { useUndo } from "./use-undo.ts";

export interface Unsaved {
  /** What the server has not acknowledged. */
  readonly changes: number;
  /** Leaving the board would lose some: they are in this tab only, and not on their way. */
  readonly isLostByLeaving: boolean;
}

export const NOTHING_UNSAVED: Unsaved = { changes: 0, isLostByLeaving: false };

export interface BoardPageProps {
  readonly session: Session;
  readonly board: Board;
  readonly people: readonly { readonly id: string; readonly name: string }[];
  /** What the server lets this person do, when it has changed; null while it is not known, and where they may do nothing. */
  readonly onAccess: (access: OpenRoom["access"]) => void;
  readonly onSignedOut: (notice: string) => void;
  readonly onUnsaved: (unsaved: Unsaved) => void;
}

export function BoardPage({ session, board, people, onAccess, onSignedOut, onUnsaved }: BoardPageProps) {
  const open = useRoom({
    url: collabUrl,
    room: board.id,
    userId: session.user.id,
    token: () => session.freshToken(),
  });
  const [showsMembers, setShowsMembers] = useState(false);
  const refusal = open?.status.kind === "out" ? open.status.refusal : null;
  const access = refusal ? null : (open?.access ?? null);
  const undo = useUndo(open?.room.document ?? null);
  const isShown = (!refusal || refusal.next === "discard") && open?.isLoaded && undo;
  const unsaved = open?.unsaved ?? 0;
  const isAtRisk = open?.isAtRisk === true;
  const isLostByLeaving = isAtRisk && open?.status.kind !== "saving";
  const isEditable = access === "write";

  useEffect(() => {
    onAccess(access);
  }, [access, onAccess]);
  useEffect(() => {
    onUnsaved({ changes: unsaved, isLostByLeaving });
    return () => onUnsaved(NOTHING_UNSAVED);
  }, [unsaved, isLostByLeaving, onUnsaved]);
  useEffect(() => {
    document.title = `${board.name} - RightTask`;
    return () => {
      document.title = "RightTask";
    };
  }, [board.name]);
  useEffect(() => {
    if (!isAtRisk) return undefined;
    const ask = (event: BeforeUnloadEvent): void => event.preventDefault();
    addEventListener("beforeunload", ask);
    return () => removeEventListener("beforeunload", ask);
  }, [isAtRisk]);
  useEffect(() => {
    if (refusal?.next === "login") onSignedOut(refusal.text);
  }, [refusal, onSignedOut]);

  return (
    <main className="board-page">
      <div className="board-head">
        <h1>{board.name}</h1>
        {open && <StatusLine status={open.status} />}
        {open?.status.kind === "read-only" && unsaved > 0 && (
          <button type="button" className="quiet" onClick={open.discard}>
            Discard
          </button>
        )}
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
      {refusal && open && <RefusalView refusal={refusal} onRetry={open.retry} onDiscard={open.discard} />}
      {isShown && (
        <BoardView
          room={open.room}
          isEditable={isEditable}
          others={open.others}
          people={people}
          undo={undo}
        />
      )}
      {!refusal && !isShown && <p className="hint loading">{whyNotShown(open)}</p>}
      {showsMembers && (
        <MembersDialog session={session} board={board} onClose={() => setShowsMembers(false)} />
      )}
    </main>
  );
}

function whyNotShown(open: OpenRoom | null): string {
  return open?.status.kind === "offline"
    ? "This board is not on this device yet. It opens when the connection is back."
    : "Opening the board …";
}
