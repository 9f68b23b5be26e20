import { useEffect } from "react";
import type { Undo } from "./use-undo.ts";

export interface UndoButtonsProps {
  readonly undo: Undo;
}

/** Own changes only. The keys work wherever the focus is but in a field with an undo of its own. */
export function UndoButtons({ undo }: UndoButtonsProps) {
  const { manager, canUndo, canRedo } = undo;

  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (!(event.metaKey || event.ctrlKey) || event.altKey || hasOwnUndo(event.target)) return;
      const key = event.key.toLowerCase();
      if (key === "z" && !event.shiftKey) manager.undo();
      else if (key === "y" || key === "z") manager.redo();
      else return;
      event.preventDefault();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, [manager]);

  return (
    <div className="undo">
      <button type="button" className="quiet" disabled={!canUndo} onClick={() => manager.undo()}>
        Undo
      </button>
      <button type="button" className="quiet" disabled={!canRedo} onClick={() => manager.redo()}>
        Redo
      </button>
    </div>
  );
}

function hasOwnUndo(target: EventTarget | null): boolean {
  return target instanceof HTMLInputElement && target.type === "text";
}
