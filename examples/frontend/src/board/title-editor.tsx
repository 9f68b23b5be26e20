import { standardKeymap } from "@codemirror/commands";
import { EditorSelection, EditorState } from "@codemirror/state";
import { EditorView, keymap, placeholder } from "@codemirror/view";
import { useEffectEvent, useLayoutEffect, useRef } from "react";
import { yCollab, ySyncAnnotation } from "y-codemirror.next";
import type * as Y from "yjs";
import type { Room } from "../collab/room.ts";

export interface TitleEditorProps {
  readonly room: Room;
  readonly taskId: string;
  readonly title: Y.Text;
  readonly label: string;
  readonly isEditable: boolean;
  readonly undoManager: Y.UndoManager;
  /** Enter. */
  readonly onDone: () => void;
}

/** One line that several people type in at once, with their cursors in it. */
export function TitleEditor(props: TitleEditorProps) {
  const { room, taskId, title, label, isEditable, undoManager } = props;
  const host = useRef<HTMLDivElement>(null);
  const onDone = useEffectEvent(() => {
    props.onDone();
    return true;
  });

  // Before the next key: somebody else's move may have replaced the editor in which this person types.
  useLayoutEffect(() => {
    if (!host.current) return undefined;
    const cursor = cursors.get(title);
    cursors.delete(title);
    const view = new EditorView({
      parent: host.current,
      state: EditorState.create({
        doc: title.toJSON(),
        selection: EditorSelection.cursor(Math.min(cursor ?? 0, title.length)),
        extensions: [
          // Only this one: else what another program wrote as \r\n is two letters in the document and one in here, and all that is typed after it goes astray.
          EditorState.lineSeparator.of("\n"),
          EditorView.clipboardInputFilter.of((text) => text.replaceAll("\r\n", "\n")),
          oneLine,
          EditorView.lineWrapping,
          placeholder("What is to be done?"),
          EditorView.contentAttributes.of({ "aria-label": label, "aria-multiline": "false" }),
          EditorState.readOnly.of(!isEditable),
          EditorView.editable.of(isEditable),
          keymap.of([
            { key: "Enter", run: onDone },
            { key: "Escape", run: blur },
            ...standardKeymap.filter(({ key }) => key !== "Enter"),
          ]),
          EditorView.focusChangeEffect.of((_, isFocused) => {
            // Not in the middle of the editor's update: presence makes the other editors draw.
            queueMicrotask(() => room.edit(isFocused ? taskId : null));
            return null;
          }),
          yCollab(title, room.awareness, { undoManager }),
        ],
      }),
    });
    if (cursor !== undefined) view.focus();
    return () => {
      // Not `view.hasFocus`: that is false while the window is behind another.
      if (document.activeElement === view.contentDOM) cursors.set(title, view.state.selection.main.head);
      view.destroy();
    };
    // The label is for the first moment only: it would be the editor's own text.
    // oxlint-disable-next-line react/exhaustive-deps
  }, [room, taskId, title, isEditable, undoManager]);

  return <div className="title" ref={host} />;
}

/** Titles whose next editor has the cursor, and where: of a card that goes to another column while somebody types in it, and of a new task. */
const cursors = new WeakMap<Y.Text, number>();

/** Once: whoever types elsewhere when the card appears anew, moved by somebody, goes on there. */
export function typeNextIn(title: Y.Text): void {
  cursors.set(title, 0);
}

/** A line break that is pasted becomes a space. What comes from the others is shown as it is: changed here, it would count as typed here. */
const oneLine = EditorState.transactionFilter.of((transaction) => {
  if (!transaction.docChanged || transaction.annotation(ySyncAnnotation)) return transaction;
  const changes: { from: number; to: number; insert: string }[] = [];
  let hasBreaks = false;
  transaction.changes.iterChanges((from, to, _fromAfter, _toAfter, inserted) => {
    const text = inserted.toString();
    const insert = text.replaceAll(/[\r\n]/g, " ");
    hasBreaks ||= insert !== text;
    changes.push({ from, to, insert });
  });
  if (!hasBreaks) return transaction;
  // As long as before, so that the cursor is where it would have been.
  return { changes, selection: transaction.newSelection, scrollIntoView: transaction.scrollIntoView };
});

function blur(view: EditorView): boolean {
  view.contentDOM.blur();
  return true;
}
