import { useEffect, useState } from "react";
import * as Y from "yjs";
import { OWN, tasksOf } from "./tasks.ts";

export interface Undo {
  readonly manager: Y.UndoManager;
  readonly canUndo: boolean;
  readonly canRedo: boolean;
}

/**
 * Undo of this page's own changes, whatever the others do in between. Typing within half a second is one step; each other change is its own.
 * Titles add their editor's origin (y-codemirror.next).
 */
export function useUndo(document: Y.Doc | null): Undo | null {
  const [undo, setUndo] = useState<Undo | null>(null);
  useEffect(() => {
    if (!document) return undefined;
    const manager = new Y.UndoManager(tasksOf(document), { trackedOrigins: new Set([OWN]) });
    const show = (): void =>
      setUndo({ manager, canUndo: manager.undoStack.length > 0, canRedo: manager.redoStack.length > 0 });
    const separate = (transaction: Y.Transaction): void => {
      if (transaction.origin === OWN) manager.stopCapturing();
    };
    document.on("beforeTransaction", separate);
    for (const event of ["stack-item-added", "stack-item-popped", "stack-cleared"] as const)
      manager.on(event, show);
    show();
    return () => {
      document.off("beforeTransaction", separate);
      manager.destroy();
      setUndo(null);
    };
  }, [document]);
  return undo;
}
