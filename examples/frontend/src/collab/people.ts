/** Who is in the room, from its presence states. `user` in them is the server's word, whatever a page claims; all else is the page's. */
import type { HocuspocusProvider } from "@hocuspocus/provider";

type Awareness = NonNullable<HocuspocusProvider["awareness"]>;

export interface PersonHere {
  readonly id: string;
  readonly name: string;
  readonly color: string;
  /** What they are editing, by the ids that the page gives (`room.edit(id)`). */
  readonly editing: readonly string[];
}

/** The others, once each, however many tabs they have. */
export function othersIn(awareness: Awareness, myId: string): PersonHere[] {
  const others = new Map<string, PersonHere>();
  for (const [client, state] of awareness.getStates()) {
    if (client === awareness.clientID) continue;
    const person = personOf(state);
    if (!person || person.id === myId) continue;
    const known = others.get(person.id);
    others.set(person.id, { ...person, editing: [...(known?.editing ?? []), ...person.editing] });
  }
  const people = [...others.values()];
  // Not `toSorted`, which is ES2023: projects that copy this are often at ES2022.
  people.sort((a, b) => a.name.localeCompare(b.name));
  return people;
}

function personOf(state: Readonly<Record<string, unknown>>): PersonHere | null {
  const { user, editing } = state;
  if (typeof user !== "object" || user === null) return null;
  const { id, name, color } = user as Readonly<Record<string, unknown>>;
  if (typeof id !== "string") return null;
  return {
    id,
    name: typeof name === "string" ? name : id,
    color: typeof color === "string" ? color : "gray",
    editing: typeof editing === "string" ? [editing] : [],
  };
}
