import type { CSSProperties } from "react";

export interface AvatarProps {
  readonly person: { readonly name: string; readonly color: string };
}

/** A letter on the person's colour; the name stands beside it or in its group's label. */
export function Avatar({ person }: AvatarProps) {
  return (
    <span className="avatar" style={{ "--person": person.color } as CSSProperties} aria-hidden="true">
      {Array.from(person.name)[0]?.toUpperCase()}
    </span>
  );
}
