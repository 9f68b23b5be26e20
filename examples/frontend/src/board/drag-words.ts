/** What a screen reader says while a card is dragged. dnd-kit would say its ids, which are nobody's words. */
import { Accessibility, type DragDropManagerInput } from "@dnd-kit/dom";
import type { DragEndEvent, DragOverEvent, DragStartEvent } from "@dnd-kit/react";

type Entity = DragOverEvent["operation"]["source" | "target"];
type Plugins = Extract<DragDropManagerInput["plugins"], readonly unknown[]>;

const words = Accessibility.configure({
  announcements: {
    dragstart: ({ operation: { source } }: DragStartEvent) => `${nameOf(source)} is picked up.`,
    dragover: ({ operation: { source, target } }: DragOverEvent) =>
      target && target.id !== source?.id ? `${nameOf(source)} is over ${nameOf(target)}.` : undefined,
    dragend: ({ operation: { source }, canceled }: DragEndEvent) =>
      `${nameOf(source)} is ${canceled ? "back at its place" : "dropped"}.`,
  },
});

export const withWords = (plugins: Plugins): Plugins =>
  plugins.map((plugin) => (plugin === Accessibility ? words : plugin));

/** Cards and columns say it: `data: { name }`. */
function nameOf(entity: Entity): string {
  return String(entity?.data["name"]);
}
