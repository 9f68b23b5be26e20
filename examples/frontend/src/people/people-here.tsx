import type { PersonHere } from "../collab/people.ts";
import { Avatar } from "./avatar.tsx";

export interface PeopleHereProps {
  readonly others: readonly PersonHere[];
}

/** Who else has the board open. */
export function PeopleHere({ others }: PeopleHereProps) {
  return (
    <ul className="people-here" aria-label="Also here">
      {others.map((person) => (
        <li key={person.id} title={person.name}>
          <Avatar person={person} />
          <span className="visually-hidden">{person.name}</span>
        </li>
      ))}
    </ul>
  );
}
