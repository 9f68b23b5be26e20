/** Where a dragged card goes. */
import type { DragEndEvent, DragOverEvent } from "@dnd-kit/react";
import { isSortable } from "@dnd-kit/react/sortable";
import { columns, type Destination } from "./tasks.ts";

/**
 * In its column the card is put into its new place while it is dragged. Into another column dnd-kit would move the element itself, behind the back of React, which then does
 * not find it where it put it (checked on 0.5): there the card over which it is shows the place.
 */
export function stayInColumn(event: DragOverEvent): void {
  const { source, target } = event.operation;
  if (isSortable(source) && isSortable(target) && source.group !== target.group) event.preventDefault();
}

/** Null where it was let go at its old place. */
export function destinationOf({ source, target }: DragEndEvent["operation"]): Destination | null {
  if (!isSortable(source)) return null;
  const overTask = isSortable(target) && target.group !== source.group ? target : null;
  const place = overTask?.group ?? target?.id;
  const other = columns.find((column) => column === place && column !== source.group);
  // Over a column and none of its tasks: to its end.
  if (other) return { column: other, index: overTask?.index ?? Infinity };
  const own = columns.find((column) => column === source.group);
  return own && source.index !== source.initialIndex ? { column: own, index: source.index } : null;
}
