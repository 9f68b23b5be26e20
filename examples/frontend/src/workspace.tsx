import { useCallback, useRef } from "react";
import { BoardPage, NOTHING_UNSAVED, type Unsaved } from "./board/board-page.tsx";
import { NoBoard } from "./boards/no-board.tsx";
import { SideBar } from "./boards/side-bar.tsx";
import { UnsentBoard } from "./boards/unsent-board.tsx";
import { useBoards } from "./boards/use-boards.ts";
import { useUnsent } from "./boards/use-unsent.ts";
import { forgetCopies, unsavedCopies } from "./collab/copies.ts";
import { useTeam } from "./people/use-team.ts";
import type { Session } from "./session/session.ts";
import { choose, useChosenBoard } from "./use-chosen-board.ts";

export interface WorkspaceProps {
  readonly session: Session;
  readonly onSignedOut: (notice: string | null) => void;
}

const LOSE = "Changes that are not saved yet are on this device only. Sign out and lose them?";
const LEAVE = "Changes that are not saved yet are in this tab only. Leave the board and lose them?";

/** Side bar and board of somebody who is logged in. */
export function Workspace({ session, onSignedOut }: WorkspaceProps) {
  const { boards, hasTrouble, reload } = useBoards(session, onSignedOut);
  const people = useTeam(session);
  const chosen = useChosenBoard();
  const board = chosen === "" ? boards?.[0] : boards?.find(({ id }) => id === chosen);
  const { unsent, refresh } = useUnsent(session.user.id, board?.id ?? null);
  const unsaved = useRef(NOTHING_UNSAVED);
  const rememberUnsaved = useCallback((now: Unsaved): void => {
    unsaved.current = now;
  }, []);

  const signOut = async (): Promise<void> => {
    const userId = session.user.id;
    const isUnsaved = unsaved.current.changes > 0 || (await unsavedCopies(userId)).size > 0;
    if (isUnsaved && !confirm(LOSE)) return;
    // A shared device: nothing of theirs stays on it.
    void forgetCopies(userId);
    onSignedOut(null);
  };

  return (
    <div className="workspace">
      <SideBar
        session={session}
        boards={boards ?? []}
        current={board?.id ?? ""}
        unsent={unsent}
        onOpen={(id) => {
          if (id !== board?.id && unsaved.current.isLostByLeaving && !confirm(LEAVE)) return;
          choose(id);
          reload();
        }}
        onSignOut={() => void signOut()}
      />
      {board ? (
        <BoardPage
          key={board.id}
          session={session}
          board={board}
          people={people}
          onAccess={reload}
          onSignedOut={onSignedOut}
          onUnsaved={rememberUnsaved}
        />
      ) : (
        <NoBoard boards={boards} hasTrouble={hasTrouble} onRetry={reload} />
      )}
      {[...unsent.keys()].map((id) => (
        <UnsentBoard key={id} session={session} board={id} onSettled={refresh} />
      ))}
    </div>
  );
}
