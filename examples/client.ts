/**
 * A client in a terminal: logs in at the example backend, opens task-list-1, adds a task every two seconds and prints what anybody does. They
 * are the app's tasks: `npm run demo` shows them too.
 *
 *   npm run demo:client -- ana
 */
import { HocuspocusProvider } from "@hocuspocus/provider";
import { readTasks, TaskChanges, tasksOf } from "./frontend/src/board/tasks.ts";

const user = process.argv[2] ?? "ana";
const backend = process.env["BACKEND_URL"] ?? "http://127.0.0.1:3000";
const url = process.env["COLLAB_URL"] ?? "ws://127.0.0.1:4000";

async function login(): Promise<string> {
  const response = await fetch(`${backend}/auth/login`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ user }),
  });
  if (!response.ok) throw new Error(`Login of ${user}: ${response.status} ${await response.text()}`);
  return ((await response.json()) as { token: string }).token;
}

const say = (text: string): void => void process.stdout.write(`${text}\n`);

const provider = new HocuspocusProvider({ url, name: "task-list-1", token: login });
const changes = new TaskChanges(provider.document);
const shown = new Map<string, string>();

provider.on("authenticated", ({ scope }: { scope: string }) => say(`let in, ${scope}`));
provider.on("authenticationFailed", ({ reason }: { reason: string }) => say(`refused: ${reason}`));
provider.on("unsyncedChanges", ({ number }: { number: number }) =>
  say(number === 0 ? "saved" : `saving ${number}`),
);
provider.on("disconnect", () => say("connection lost, coming back"));
tasksOf(provider.document).observeDeep(() => {
  for (const { id, titleText } of readTasks(provider.document)) {
    if (shown.get(id) !== titleText) say(`  ${titleText}`);
    shown.set(id, titleText);
  }
});

let count = 0;
setInterval(() => {
  if (provider.synced && provider.authorizedScope === "read-write") {
    changes.add({ title: `Task ${++count} of ${user}`, column: "todo", index: Infinity });
  }
}, 2000);
