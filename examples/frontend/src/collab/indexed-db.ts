/** IndexedDB's requests as promises. */
export function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.addEventListener("success", () => resolve(request.result));
    request.addEventListener("error", () => reject(request.error));
  });
}

/** False where the browser keeps nothing. */
export async function canStore(): Promise<boolean> {
  try {
    const database = await done(indexedDB.open("righttask-probe"));
    database.close();
    return true;
  } catch {
    return false;
  }
}

/** One that is there already. @returns null where there is none: opening must not make an empty one */
export async function openExisting(name: string): Promise<IDBDatabase | null> {
  const request = indexedDB.open(name);
  request.addEventListener("upgradeneeded", () => request.transaction?.abort());
  const database = await done(request).catch(() => null);
  // Whoever wants to delete it does not wait for us.
  database?.addEventListener("versionchange", () => database.close());
  return database;
}
