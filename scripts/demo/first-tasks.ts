/** Fills the demo's first board, so that there is something to see. A board that has tasks is left as it is. */
import { HocuspocusProvider } from "@hocuspocus/provider";
import { type Column, TaskChanges, tasksOf } from "../../examples/frontend/src/board/tasks.ts";

const BOARD = "task-list-1";

/** Title, column, who, days until it is due. */
const tasks: readonly (readonly [
  title: string,
  column: Column,
  assignee: string | null,
  days: number | null,
])[] = [
  ["Write the announcement", "todo", "ana", 5],
  ["Translate the help pages", "todo", null, null],
  ["Invite the first customers", "todo", "ben", 9],
  ["Try everything on a phone", "doing", "cleo", 2],
  ["Rehearse the demo", "doing", "ben", 3],
  ["Choose a name", "done", "ana", null],
  ["Order stickers", "done", null, null],
];

export async function addFirstTasks({ backend, collab }: { backend: string; collab: string }): Promise<void> {
  const token = await login(backend);
  const provider = new HocuspocusProvider({ url: collab.replace(/^http/, "ws"), name: BOARD, token });
  try {
    await happens(provider, "synced");
    const { document } = provider;
    if (tasksOf(document).size > 0) return;
    const changes = new TaskChanges(document);
    for (const [title, column, assignee, days] of tasks) {
      const due = days === null ? null : dateIn(days);
      changes.add({ title, column, assignee, due, index: Infinity });
    }
    while (provider.hasUnsyncedChanges) await happens(provider, "unsyncedChanges");
  } finally {
    provider.destroy();
  }
}

async function login(backend: string): Promise<string> {
  const response = await fetch(`${backend}/auth/login`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ user: "ana" }),
  });
  return ((await response.json()) as { token: string }).token;
}

function happens(provider: HocuspocusProvider, event: string): Promise<void> {
  return new Promise((resolve) => {
    const heard = (): void => {
      provider.off(event, heard);
      resolve();
    };
    provider.on(event, heard);
  });
}

function dateIn(days: number): string {
  return new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);
}
