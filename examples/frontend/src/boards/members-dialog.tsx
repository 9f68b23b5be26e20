import { useCallback, useEffect, useRef, useState } from "react";
import { Avatar } from "../people/avatar.tsx";
import type { Session } from "../session/session.ts";
import { type Board, type BoardAccess, fetchMembers, type Member, setAccess } from "./board-access.ts";

export interface MembersDialogProps {
  readonly session: Session;
  readonly board: Board;
  readonly onClose: () => void;
}

/** Who may enter the board. Its owner changes that here, while the others are inside. */
export function MembersDialog({ session, board, onClose }: MembersDialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [members, setMembers] = useState<readonly Member[]>([]);
  const [trouble, setTrouble] = useState(false);

  const load = useCallback(() => {
    fetchMembers(session, board.id).then(
      (found) => {
        setMembers(found);
        setTrouble(false);
      },
      () => setTrouble(true),
    );
  }, [session, board.id]);

  useEffect(() => {
    dialog.current?.showModal();
    load();
  }, [load]);

  const change = (userId: string, access: BoardAccess): void => {
    setAccess(session, { board: board.id, userId, access }).then(load, () => setTrouble(true));
  };

  return (
    <dialog ref={dialog} className="members" aria-labelledby="members-title" onClose={onClose}>
      <h2 id="members-title">Members of {board.name}</h2>
      <ul>
        {members.map(({ user, access, isOwner }) => (
          <li key={user.id}>
            <Avatar person={user} />
            <span>{user.name}</span>
            {isOwner || !board.isOwner ? (
              <span className="hint">{isOwner ? "owner" : label(access)}</span>
            ) : (
              <select
                aria-label={`Access of ${user.name}`}
                value={access ?? "none"}
                onChange={({ target }) => change(user.id, toAccess(target.value))}
              >
                <option value="write">{label("write")}</option>
                <option value="read">{label("read")}</option>
                <option value="none">{label(null)}</option>
              </select>
            )}
          </li>
        ))}
      </ul>
      {trouble && <p role="alert">That did not work. Try again.</p>}
      <p className="hint">
        {board.isOwner
          ? "A change holds at once, also for whoever has the board open."
          : "The owner says who may enter."}
      </p>
      <form method="dialog">
        <button type="submit">Done</button>
      </form>
    </dialog>
  );
}

function label(access: BoardAccess): string {
  return access === "write" ? "can edit" : access === "read" ? "can read" : "no access";
}

function toAccess(value: string): BoardAccess {
  return value === "read" || value === "write" ? value : null;
}
