import type { Column, Task } from "./tasks.ts";

/** What a card can have done to its task. */
export interface CardActions {
  /** To the end of a column, or the start of the one of what is done. */
  move(id: string, column: Column): void;
  assign(id: string, person: string | null): void;
  setDue(id: string, due: string | null): void;
  remove(id: string): void;
  /** An empty one, to type on in. */
  addBelow(task: Task): void;
}
