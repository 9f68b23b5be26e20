import { useEffect, useState } from "react";
import type { Person } from "../session/session.ts";

const KEY = "righttask-team";

/** Whom a task can be given to. Those of the last visit while the backend is away. */
export function useTeam(): readonly Person[] {
  const [people, setPeople] = useState(
    () => JSON.parse(sessionStorage.getItem(KEY) ?? "[]") as readonly Person[],
  );
  useEffect(() => {
    const asked = new AbortController();
    fetch("/api/auth/people", { signal: asked.signal })
      .then((response) => response.json())
      .then((found: readonly Person[]) => {
        sessionStorage.setItem(KEY, JSON.stringify(found));
        setPeople(found);
      })
      // Offline: names are missing in the lists, nothing else.
      .catch(() => {});
    return () => asked.abort();
  }, []);
  return people;
}
