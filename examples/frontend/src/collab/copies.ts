/** All that a user has on this device. */
import { countUnsaved } from "./copy-notes.ts";
import { done, openExisting } from "./indexed-db.ts";
import { nameOf } from "./local-copy.ts";

/** Deletes every room that this user has on this device, also what was not saved; those that are named in `except` stay. */
export async function forgetCopies(
  user: string,
  { except = [] }: { except?: readonly string[] } = {},
): Promise<void> {
  const rooms = (await roomsOf(user)).filter((room) => !except.includes(room));
  await Promise.all(rooms.map((room) => done(indexedDB.deleteDatabase(nameOf({ user, room })))));
}

/** Room → edits that the server has not acknowledged, of the rooms that have any. */
export async function unsavedCopies(user: string): Promise<ReadonlyMap<string, number>> {
  const unsaved = new Map<string, number>();
  for (const room of await roomsOf(user)) {
    const database = await openExisting(nameOf({ user, room }));
    if (!database) continue;
    const count = await countUnsaved(database).catch(() => 0);
    database.close();
    if (count > 0) unsaved.set(room, count);
  }
  return unsaved;
}

async function roomsOf(user: string): Promise<string[]> {
  const prefix = nameOf({ user, room: "" });
  try {
    const databases = await indexedDB.databases();
    return databases.flatMap(({ name }) => (name?.startsWith(prefix) ? [name.slice(prefix.length)] : []));
  } catch {
    // Browsers from before 2024 cannot list them, and some private windows have none. Signing out has to work all the same.
    return [];
  }
}
