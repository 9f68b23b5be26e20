/** The boards of the team and who may do what there, as the backend says. */
import { listFrom } from "../list-from.ts";
import type { Session } from "../session/session.ts";

export type BoardAccess = "read" | "write" | null;

export interface Board {
  /** The room's name. */
  readonly id: string;
  readonly name: string;
  readonly access: BoardAccess;
  readonly isOwner: boolean;
}

export interface Member {
  readonly user: { readonly id: string; readonly name: string; readonly color: string };
  readonly access: BoardAccess;
  readonly isOwner: boolean;
}

export async function fetchBoards(session: Session, signal: AbortSignal): Promise<readonly Board[]> {
  const response = await session.request("/boards", { signal });
  return listFrom<Board>(response);
}

export async function fetchMembers(session: Session, board: string): Promise<readonly Member[]> {
  const response = await session.request(`/boards/${encodeURIComponent(board)}/members`);
  return listFrom<Member>(response);
}

/** Holds in the member's open tabs within a second. */
export async function setAccess(
  session: Session,
  { board, userId, access }: { board: string; userId: string; access: BoardAccess },
): Promise<void> {
  const path = `/boards/${encodeURIComponent(board)}/members/${encodeURIComponent(userId)}`;
  if (access === null) await session.request(path, { method: "DELETE" });
  else
    await session.request(path, {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ access }),
    });
}
