/**
 * A process that appends to a room and compacts it, and ends itself by SIGKILL before its nth statement: `node compacting-process.ts
 * <database> <n>`. With n = 0 it lives, and prints how many statements there were.
 */
import { openSqliteStore } from "../../storage/sqlite-store.ts";
import { Writer } from "./store-contract.ts";

const [path = "", nth = "0"] = process.argv.slice(2);
let statements = 0;
let counting = false;

const store = openSqliteStore(path, {
  onStatement: () => {
    if (counting && ++statements === Number(nth)) process.kill(process.pid, "SIGKILL");
  },
});
const writer = new Writer();
// A snapshot to be replaced, and a journal to be merged into it.
await store.append(["a", "b"].map((text) => writer.insert("room", text)));
await store.compact("room");
await store.append(["c", "d"].map((text) => writer.insert("room", text)));
counting = true;
await store.compact("room");
counting = false;
process.stdout.write(String(statements));
await store.close();
