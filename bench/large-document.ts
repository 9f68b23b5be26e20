/** Stored rooms of a given size: tasks as an app keeps them, a map with a collaborative title each. */
import Database from "better-sqlite3";
import { schema, upsertQuery } from "@hocuspocus/extension-sqlite";
import * as Y from "yjs";

/** Measured: 24,000 such tasks are 3.7 MB. */
const BYTES_PER_TASK = 156;

/** Writes the file as a stock Hocuspocus would have left it; ours opens it as well. Returns the size of each room, bytes. */
export function storeLargeRooms(
  path: string,
  { rooms, megabytes }: { rooms: readonly string[]; megabytes: number },
): number {
  const doc = new Y.Doc();
  const tasks = doc.getMap("tasks");
  doc.transact(() => {
    for (let i = 0; i < (megabytes * 1_000_000) / BYTES_PER_TASK; i += 1) {
      const task = new Y.Map<unknown>();
      task.set("title", new Y.Text(`Task ${i}: call the customer back about the offer of last week`));
      task.set("done", i % 3 === 0);
      task.set("assignee", `user-${i % 50}`);
      tasks.set(`task-${i}`, task);
    }
  });
  const state = Y.encodeStateAsUpdate(doc);
  const database = new Database(path);
  database.exec(schema);
  const upsert = database.prepare(upsertQuery);
  database.transaction(() => rooms.forEach((name) => upsert.run({ name, data: state })))();
  database.close();
  return state.byteLength;
}
