import { useCallback, useEffect, useRef, useState } from "react";
import { SideBar } from "./boards/side-bar.tsx";
import { useBoards } from "./boards/use-boards.ts";
import { BoardPage } from "./board/board-page.tsx";
import { forgetCopies } from "./collab/local-copy.ts";
import type { Session } from "./session/session.ts";
import { useTeam } from "./people/use-team.ts";

export interface WorkspaceProps {
  readonly session: Session;
  readonly onSignedOut: (notice: string | null) => void;
}

/** Side bar and board of somebody who is logged in. */
export function Workspace({ session, onSignedOut }: WorkspaceProps) {
  const { boards, reload } = useBoards(session, onSignedOut);
  const people = useTeam();
  const [chosen, setChosen] = useState(() => location.hash.slice(1));
  const unsaved = useRef(0);
  const rememberUnsaved = useCallback((changes: number): void => {
    unsaved.current = changes;
  }, []);
  const board = boards.find(({ id }) => id === chosen) ?? boards[0];

  useEffect(() => {
    const follow = (): void => setChosen(location.hash.slice(1));
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);

  const signOut = (): void => {
    const question = "Changes that are not saved yet are on this device only. Sign out and lose them?";
    if (unsaved.current > 0 && !confirm(question)) return;
    // A shared device: nothing of theirs stays on it.
    void forgetCopies(session.user.id);
    onSignedOut(null);
  };

  return (
    <div className="workspace">
      <SideBar
        session={session}
        boards={boards}
        current={board?.id ?? ""}
        onOpen={(id) => {
          location.hash = id;
          reload();
        }}
        onSignOut={signOut}
      />
      {board && (
        <BoardPage
          key={board.id}
          session={session}
          board={board}
          people={people}
          onAccess={reload}
          onSignedOut={onSignedOut}
          onUnsaved={rememberUnsaved}
        />
      )}
    </div>
  );
}
