import { useSortable } from "@dnd-kit/react/sortable";
import { memo, type CSSProperties } from "react";
import type * as Y from "yjs";
import type { PersonHere } from "../collab/people.ts";
import type { Room } from "../collab/room.ts";
import type { CardActions } from "./card-actions.ts";
import { TaskFields, type TaskFieldsProps } from "./task-fields.tsx";
import type { Task } from "./tasks.ts";
import { TitleEditor } from "./title-editor.tsx";

export interface TaskCardProps {
  readonly room: Room;
  readonly task: Task;
  /** In its column. */
  readonly index: number;
  readonly isEditable: boolean;
  readonly editors: readonly PersonHere[];
  readonly people: TaskFieldsProps["people"];
  readonly undoManager: Y.UndoManager;
  readonly actions: CardActions;
}

export const TaskCard = memo(function TaskCard(props: TaskCardProps) {
  const { room, task, index, isEditable, editors, people, undoManager, actions } = props;
  const name = task.titleText || "untitled task";
  const { ref, handleRef, isDragging, isDropTarget } = useSortable({
    id: task.id,
    data: { name },
    index,
    group: task.column,
    type: "task",
    accept: "task",
    disabled: !isEditable,
  });
  const isDone = task.column === "done";
  const [editor] = editors;

  return (
    <li
      ref={ref}
      className="task"
      data-task={task.id}
      data-done={isDone}
      data-dragging={isDragging}
      data-target={isDropTarget && !isDragging}
      data-edited={editor !== undefined}
      style={{ "--person": editor?.color } as CSSProperties}
      aria-label={name}
    >
      <div className="task-line">
        <button
          ref={handleRef}
          type="button"
          className="handle"
          aria-label={`Move ${name}`}
          disabled={!isEditable}
        >
          <span aria-hidden="true">⠿</span>
        </button>
        <input
          type="checkbox"
          aria-label={`Done: ${name}`}
          checked={isDone}
          disabled={!isEditable}
          onChange={({ target }) => actions.move(task.id, target.checked ? "done" : "todo")}
        />
        <TitleEditor
          room={room}
          taskId={task.id}
          title={task.title}
          label="Title"
          isEditable={isEditable}
          undoManager={undoManager}
          onDone={() => actions.addBelow(task)}
        />
      </div>
      <TaskFields task={task} name={name} people={people} isEditable={isEditable} actions={actions} />
      {editors.length > 0 && (
        <p className="editing">{editors.map((person) => person.name).join(", ")} is editing</p>
      )}
    </li>
  );
});
