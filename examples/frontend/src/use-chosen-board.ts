import { useEffect, useState } from "react";

/** The board that the address names (`#task-list-1`); empty where it names none. */
export function useChosenBoard(): string {
  const [chosen, setChosen] = useState(readHash);
  useEffect(() => {
    const follow = (): void => setChosen(readHash());
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  return chosen;
}

export function choose(board: string): void {
  location.hash = encodeURIComponent(board);
}

function readHash(): string {
  const hash = location.hash.slice(1);
  try {
    return decodeURIComponent(hash);
  } catch {
    return hash;
  }
}
