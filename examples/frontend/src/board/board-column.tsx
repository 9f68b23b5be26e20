import { CollisionPriority } from "@dnd-kit/abstract";
import { useDroppable } from "@dnd-kit/react";
import type { ReactNode } from "react";
import { columnNames } from "./column-names.ts";
import type { Column } from "./tasks.ts";

export interface BoardColumnProps {
  readonly column: Column;
  readonly count: number;
  readonly children: ReactNode;
  /** Beneath the tasks. */
  readonly footer: ReactNode;
}

export function BoardColumn({ column, count, children, footer }: BoardColumnProps) {
  // Low: where there is a task beneath the pointer, that one decides. An empty column has only this.
  const { ref, isDropTarget } = useDroppable({
    id: column,
    data: { name: columnNames[column] },
    type: "column",
    accept: "task",
    collisionPriority: CollisionPriority.Low,
  });
  const heading = `column-${column}`;
  return (
    <section ref={ref} className="column" aria-labelledby={heading} data-target={isDropTarget}>
      <h2 id={heading} tabIndex={-1}>
        {columnNames[column]} <span className="count">{count}</span>
      </h2>
      <ul className="tasks">{children}</ul>
      {footer}
    </section>
  );
}
