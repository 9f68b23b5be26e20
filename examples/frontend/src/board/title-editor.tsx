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
  /** Ready to type in when it appears. */
  readonly startsFocused: boolean;
  /** Enter. */
  readonly onDone: () => void;
}

/** One line that several people type in at once, with their cursors in it. */
export function TitleEditor(props: TitleEditorProps) {
  const { room, taskId, title, label, isEditable, undoManager, startsFocused } = props;
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
    if (startsFocused || cursor !== undefined) view.focus();
    return () => {
      if (view.hasFocus) cursors.set(title, view.state.selection.main.head);
      view.destroy();
    };
    // The label is for the first moment only: it would be the editor's own text.
    // oxlint-disable-next-line react/exhaustive-deps
  }, [room, taskId, title, isEditable, undoManager]);

  return <div className="title" ref={host} />;
}

/** Where somebody was typing when the card went to another column, or their right to type came back. */
const cursors = new WeakMap<Y.Text, number>();

/** A line break that is pasted becomes a space. What comes from the others is shown as it is: changed here, it would count as typed here. */
const oneLine = EditorState.transactionFilter.of((transaction) => {
  if (!transaction.docChanged || transaction.annotation(ySyncAnnotation)) return transaction;
  const changes: { from: number; to: number; insert: string }[] = [];
  let hasBreaks = false;
  transaction.changes.iterChanges((from, to, _fromAfter, _toAfter, inserted) => {
    hasBreaks ||= inserted.lines > 1;
    changes.push({ from, to, insert: inserted.toString().replaceAll("\n", " ") });
  });
  if (!hasBreaks) return transaction;
  // As long as before, so that the cursor is where it would have been.
  return { changes, selection: transaction.newSelection, scrollIntoView: transaction.scrollIntoView };
});

function blur(view: EditorView): boolean {
  view.contentDOM.blur();
  return true;
}
