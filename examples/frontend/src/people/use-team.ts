import { useEffect, useState } from "react";
import { listFrom } from "../list-from.ts";
import type { Person, Session } from "../session/session.ts";

const TEAM = "team";

export async function fetchTeam(signal?: AbortSignal): Promise<readonly Person[]> {
  const response = await fetch("/api/auth/people", signal ? { signal } : {});
  if (!response.ok) throw new Error(`The list of people answered ${response.status}`);
  return listFrom<Person>(response);
}

/** Whom a task can be given to. Those of the last visit while the backend is away. */
export function useTeam({ remembered }: Session): readonly Person[] {
  const [people, setPeople] = useState(() => (remembered.read(TEAM) as readonly Person[] | null) ?? []);
  useEffect(() => {
    const asked = new AbortController();
    fetchTeam(asked.signal).then(
      (found) => {
        if (asked.signal.aborted) return;
        remembered.write(TEAM, found);
        setPeople(found);
      },
      // Offline: names are missing in the lists, nothing else.
      () => {},
    );
    return () => asked.abort();
  }, [remembered]);
  return people;
}
