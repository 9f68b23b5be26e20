/** The demo's boards: each is a room of the collaboration server, with the same id. A real application reads its own tables here. */

export interface Board {
  /** The room's name. */
  id: string;
  name: string;
  /** Who says who may enter. */
  owner: string;
}

const BOARDS: readonly Board[] = [
  { id: "task-list-1", name: "Product launch", owner: "ana" },
  { id: "task-list-2", name: "Office move", owner: "ana" },
  { id: "task-list-3", name: "Hiring", owner: "ben" },
];

export function allBoards(): readonly Board[] {
  return BOARDS;
}

export function findBoard(id: string): Board | undefined {
  return BOARDS.find((board) => board.id === id);
}
