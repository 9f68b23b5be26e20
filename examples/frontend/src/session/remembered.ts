/**
 * What this device remembers of somebody until they sign out, so that the app opens without a network: the login, the boards there are, who is in the team. Which
 * person a tab is, is the tab's own (`sessionStorage`), so two tabs can be two people.
 */
const PREFIX = "righttask:";
const TAB = "righttask-tab";

export class Remembered {
  readonly #userId: string;
  #isForgotten = false;

  constructor(userId: string) {
    this.#userId = userId;
  }

  /** Null where it is not known, or what is there cannot be read. */
  read(what: string): unknown {
    return read(this.keyOf(what));
  }

  write(what: string, value: unknown): void {
    // An answer that comes as they sign out: what asked for it is told of their end only after that.
    if (this.#isForgotten) return;
    try {
      localStorage.setItem(this.keyOf(what), JSON.stringify(value));
    } catch {
      // A browser that keeps nothing: the app works, and asks again after a reload.
    }
  }

  /** For good. Who logs in again is remembered anew. */
  forget(): void {
    this.#isForgotten = true;
    for (const key of keys()) if (key.startsWith(this.keyOf(""))) localStorage.removeItem(key);
    if (tabUser() === this.#userId) sessionStorage.removeItem(TAB);
  }

  keyOf(what: string): string {
    return `${PREFIX}${encodeURIComponent(this.#userId)}:${what}`;
  }
}

/** Of all who have not signed out on this device. */
export function rememberedOfAll(what: string): unknown[] {
  return keys()
    .filter((key) => key.startsWith(PREFIX) && key.endsWith(`:${what}`))
    .map(read)
    .filter((value) => value !== null);
}

/** Who is logged in in this tab, over reloads too. */
export function tabUser(): string | null {
  return attempt(() => sessionStorage.getItem(TAB));
}

export function setTabUser(userId: string): void {
  attempt(() => sessionStorage.setItem(TAB, userId));
}

const keys = (): string[] => attempt(() => Object.keys(localStorage)) ?? [];

function read(key: string): unknown {
  return attempt<unknown>(() => JSON.parse(localStorage.getItem(key) ?? "null"));
}

function attempt<T>(access: () => T): T | null {
  try {
    return access();
  } catch {
    return null;
  }
}
