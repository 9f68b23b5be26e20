/** The demo's user table. A real application asks its database, and for a password. */

export interface Person {
  id: string;
  name: string;
  /** What their cursor and avatar look like to the others; dark enough for a name in white on it. */
  color: string;
}

const PEOPLE: readonly Person[] = [
  { id: "ana", name: "Ana", color: "#d6336c" },
  { id: "ben", name: "Ben", color: "#1971c2" },
  { id: "cleo", name: "Cleo", color: "#25803a" },
];

export function allPeople(): readonly Person[] {
  return PEOPLE;
}

export function findPerson(id: string): Person | undefined {
  return PEOPLE.find((person) => person.id === id);
}
