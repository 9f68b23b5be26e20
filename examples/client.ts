/**
 * A client in a terminal: logs in at the example backend, opens task-list-1, adds a task every two seconds and prints what anybody does.
 *
 *   npm run demo:client -- ana
 */
import { HocuspocusProvider } from "@hocuspocus/provider";

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
const tasks = provider.document.getMap<string>("tasks");

provider.on("authenticated", ({ scope }: { scope: string }) => say(`let in, ${scope}`));
provider.on("authenticationFailed", ({ reason }: { reason: string }) => say(`refused: ${reason}`));
provider.on("unsyncedChanges", ({ number }: { number: number }) =>
  say(number === 0 ? "saved" : `saving ${number}`),
);
provider.on("disconnect", () => say("connection lost, coming back"));
tasks.observe(({ keysChanged }) => {
  for (const key of keysChanged) say(`  ${key}: ${tasks.get(key)}`);
});

let count = 0;
setInterval(() => {
  if (provider.synced && provider.authorizedScope === "read-write") {
    tasks.set(`${user}-${++count}`, `Task ${count} of ${user}`);
  }
}, 2000);
