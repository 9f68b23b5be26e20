/**
 * A board's tasks in its Yjs document. No React and no browser in here: the demo's first tasks are made with it too.
 *
 * Shape: `tasks` is a Y.Map of task id → Y.Map with `title` (Y.Text), `place`, `assignee`, `due`. A task's column and its order there are one value: two
 * people who move it at once then end at the place of one of them, never in the column of one at the order of the other. Done is a column, so a task
 * cannot be done and in progress at once.
 */
import { generateKeyBetween } from "fractional-indexing";
import * as Y from "yjs";

export const columns = ["todo", "doing", "done"] as const;
export type Column = (typeof columns)[number];

export interface Task {
  readonly id: string;
  /** Edited in place; a new one after an undone deletion. */
  readonly title: Y.Text;
  readonly titleText: string;
  readonly column: Column;
  readonly order: string;
  /** A person's id. */
  readonly assignee: string | null;
  /** `2026-11-24` */
  readonly due: string | null;
}

interface Place {
  readonly column: Column;
  readonly order: string;
}

type StoredTask = Y.Map<unknown>;

export interface NewTask extends Destination {
  readonly title: string;
  readonly assignee?: string | null;
  readonly due?: string | null;
}

/** The origin of this page's own changes, which are the ones that undo takes back. */
export const OWN = "own";

export const tasksOf = (document: Y.Doc): Y.Map<unknown> => document.getMap("tasks");

/** What the stored task says; null for what is no task, such as another program's entry. */
export function readTask(id: string, stored: unknown): Task | null {
  if (!(stored instanceof Y.Map)) return null;
  const title: unknown = stored.get("title");
  const place = placeOf(stored.get("place"));
  if (!(title instanceof Y.Text) || !place) return null;
  const [assignee, due] = [textOf(stored.get("assignee")), textOf(stored.get("due"))];
  return { id, title, titleText: title.toJSON(), ...place, assignee, due };
}

/** Equal orders (two inserts at one spot at the same time) are told apart by the id, so that everybody sees the same. */
export function compareTasks(a: Task, b: Task): number {
  if (a.order !== b.order) return a.order < b.order ? -1 : 1;
  return a.id < b.id ? -1 : 1;
}

export function readTasks(document: Y.Doc): Task[] {
  return [...tasksOf(document)]
    .map(([id, stored]) => readTask(id, stored))
    .filter((task) => task !== null)
    .toSorted(compareTasks);
}

/** Where a task goes: before the one that is at `index` of the column now; `Infinity` is its end. */
export interface Destination {
  readonly column: Column;
  readonly index: number;
}

/** What a person does to tasks, each one step of undo. */
export class TaskChanges {
  readonly #document: Y.Doc;

  constructor(document: Y.Doc) {
    this.#document = document;
  }

  /** @returns its title, to type on in */
  add({ title: text, assignee = null, due = null, ...destination }: NewTask): Y.Text {
    const id = crypto.randomUUID();
    const title = new Y.Text(text);
    this.#change(() => {
      const task: StoredTask = new Y.Map();
      task.set("title", title);
      task.set("place", this.#placeAt(destination, id));
      task.set("assignee", assignee);
      task.set("due", due);
      tasksOf(this.#document).set(id, task);
    });
    return title;
  }

  move(id: string, destination: Destination): void {
    this.#set(id, "place", this.#placeAt(destination, id));
  }

  assign(id: string, person: string | null): void {
    this.#set(id, "assignee", person);
  }

  setDue(id: string, due: string | null): void {
    this.#set(id, "due", due);
  }

  remove(id: string): void {
    this.#change(() => tasksOf(this.#document).delete(id));
  }

  #set(id: string, key: string, value: unknown): void {
    const task = tasksOf(this.#document).get(id);
    // Somebody else may have just deleted it.
    if (task instanceof Y.Map) this.#change(() => task.set(key, value));
  }

  #change(change: () => void): void {
    this.#document.transact(change, OWN);
  }

  #placeAt({ column, index }: Destination, id: string): Place {
    const others = readTasks(this.#document).filter((task) => task.column === column && task.id !== id);
    const before = others[Math.min(index, others.length) - 1]?.order ?? null;
    // The next one with another order: between two equal ones there is no room.
    const after = others.slice(index).find(({ order }) => before === null || order > before);
    return { column, order: generateKeyBetween(before, after?.order ?? null) };
  }
}

function placeOf(stored: unknown): Place | null {
  if (typeof stored !== "object" || stored === null) return null;
  const { column, order } = stored as Partial<Record<string, unknown>>;
  const known = columns.find((name) => name === column);
  return known && typeof order === "string" ? { column: known, order } : null;
}

function textOf(stored: unknown): string | null {
  return typeof stored === "string" && stored !== "" ? stored : null;
}
