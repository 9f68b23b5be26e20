/** A look at everything while nobody writes: people of a room have the same document, see exactly each other, and the store has it too. */
import * as Y from "yjs";
import { openStore } from "../../storage/open-store.ts";
import { until } from "../../test/support/until.ts";
import type { Crowd } from "./crowd.ts";
import type { Ledger } from "./ledger.ts";
import { linesOf, type Person } from "./person.ts";

/**
 * Promised are 5 s after each kind of trouble; people need some to come back, and a busy machine needs some. Far less than the half minute
 * after which everything is compared anyway, and forgotten people are gone.
 */
const PATIENCE_MS = 20_000;
const NAMED_DIFFERENCES = 8;

export interface LookOptions {
  readonly crowd: Crowd;
  readonly ledger: Ledger;
  readonly databaseUrl: string;
}

export interface Look {
  /** Until all people had the same, and saw each other. */
  readonly peopleMs: number;
  /** Until the store had it too. */
  readonly storeMs: number;
}

/** @throws Error that says who differs in what. */
export async function lookAtAll({ crowd, ledger, databaseUrl }: LookOptions): Promise<Look> {
  const startedAt = performance.now();
  const options = { timeoutMs: PATIENCE_MS };
  const differences = (): string[] => ledger.rooms.flatMap((room) => differencesIn(room, crowd.in(room)));
  await until("the same", () => differences().length === 0, options).catch(() => {
    throw new Error(`After ${PATIENCE_MS / 1000} s people differ:\n${some(differences())}`);
  });
  const peopleMs = performance.now() - startedAt;
  const store = openStore({ databaseUrl });
  try {
    for (const room of ledger.rooms) {
      const [person] = crowd.in(room);
      if (!person) continue;
      const stored = async (): Promise<Y.Doc> => {
        const { snapshot, updates } = await store.load(room);
        const document = new Y.Doc();
        for (const update of snapshot ? [snapshot, ...updates] : updates) Y.applyUpdate(document, update);
        return document;
      };
      const isStored = async (): Promise<boolean> => areEqual(await stored(), person.document);
      await until("stored", isStored, options).catch(async () => {
        throw new Error(`The store has another ${room}: ${describe(await stored())}, ${described(person)}`);
      });
      ledger.verify(room, { who: "people", content: person.lines.toArray() });
      ledger.verify(room, { who: "store", content: linesOf(await stored()).toArray() });
    }
  } finally {
    await store.close();
  }
  return { peopleMs, storeMs: performance.now() - startedAt };
}

function some(lines: readonly string[]): string {
  const more = lines.length - NAMED_DIFFERENCES;
  return [...lines.slice(0, NAMED_DIFFERENCES), ...(more > 0 ? [`… and ${more} more`] : [])].join("\n");
}

function differencesIn(room: string, people: readonly Person[]): string[] {
  const there = people
    .map(({ document }) => document.clientID)
    .toSorted((a, b) => a - b)
    .join();
  const [first] = people;
  return people.flatMap((person) => {
    const problems: string[] = [];
    if (!person.isSettled) problems.push("is not told that all is saved");
    if (person.seen !== there) problems.push(`sees ${person.seen}, where ${there} are`);
    if (first && !areEqual(first.document, person.document))
      problems.push(`has another document than ${described(first)}`);
    return problems.map((problem) => `${room}: ${described(person)} ${problem}`);
  });
}

/** What is in it and what is deleted, and nothing waits for what is missing. */
export function areEqual(a: Y.Doc, b: Y.Doc): boolean {
  const isWhole = (document: Y.Doc): boolean =>
    document.store.pendingStructs === null && document.store.pendingDs === null;
  return (
    isWhole(a) &&
    isWhole(b) &&
    Y.equalSnapshots(Y.snapshot(a), Y.snapshot(b)) &&
    linesOf(a).toJSON().join() === linesOf(b).toJSON().join()
  );
}

function described({ name, document, at }: Person): string {
  return `${name} (${document.clientID}) at ${at?.url} with ${describe(document)}`;
}

function describe(document: Y.Doc): string {
  const elements = [...Y.decodeStateVector(Y.encodeStateVector(document)).values()].reduce(
    (sum, count) => sum + count,
    0,
  );
  const waits = document.store.pendingStructs ? ", some of it waiting" : "";
  return `${linesOf(document).length} lines of ${elements}${waits}`;
}
