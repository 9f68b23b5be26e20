import type { Session } from "../session/session.ts";
import { Avatar } from "../people/avatar.tsx";
import type { Board, BoardAccess } from "./board-access.ts";

export interface SideBarProps {
  readonly session: Session;
  readonly boards: readonly Board[];
  readonly current: string;
  /** Board → edits that are on this device only, of the boards that are not open. */
  readonly unsent: ReadonlyMap<string, number>;
  readonly onOpen: (board: string) => void;
  readonly onSignOut: () => void;
}

/** Said where it is less than everything. */
const limits = { write: null, read: "read-only", none: "no access" } as const;
const limitOf = (access: BoardAccess): string | null => limits[access ?? "none"];

export function SideBar({ session, boards, current, unsent, onOpen, onSignOut }: SideBarProps) {
  return (
    <header className="side-bar">
      <p className="brand">
        <img src="/icon.svg" alt="" width="28" height="28" /> RightTask
      </p>
      <nav aria-label="Boards">
        <ul>
          {boards.map((board) => (
            <li key={board.id}>
              <button
                type="button"
                className="board-link"
                aria-current={board.id === current ? "page" : undefined}
                onClick={() => onOpen(board.id)}
              >
                <span>{board.name}</span>
                {unsent.has(board.id) && <small className="unsent">{unsent.get(board.id)} unsaved</small>}
                {limitOf(board.access) && <small>{limitOf(board.access)}</small>}
              </button>
            </li>
          ))}
        </ul>
      </nav>
      <div className="account">
        <Avatar person={session.user} />
        <span className="account-name">{session.user.name}</span>
        <button type="button" className="quiet" onClick={onSignOut}>
          Sign out
        </button>
      </div>
    </header>
  );
}
