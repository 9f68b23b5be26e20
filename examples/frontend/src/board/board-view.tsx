import { DragDropProvider, type DragEndEvent } from "@dnd-kit/react";
import { useMemo, useState } from "react";
import type { PersonHere } from "../collab/people.ts";
import type { Room } from "../collab/room.ts";
import { BoardColumn } from "./board-column.tsx";
import { withWords } from "./drag-words.ts";
import { destinationOf, stayInColumn } from "./drop-destination.ts";
import { NewTask } from "./new-task.tsx";
import type { CardActions } from "./card-actions.ts";
import { TaskCard } from "./task-card.tsx";
import { columns, type Column, readTasks, type Task, TaskChanges } from "./tasks.ts";
import { typeNextIn } from "./title-editor.tsx";
import type { Undo } from "./use-undo.ts";
import { useKeptFocus } from "./use-kept-focus.ts";
import { useTasks } from "./use-tasks.ts";

export interface BoardViewProps {
  readonly room: Room;
  readonly isEditable: boolean;
  readonly others: readonly PersonHere[];
  readonly people: readonly { readonly id: string; readonly name: string }[];
  readonly undo: Undo;
}

export function BoardView({ room, isEditable, others, people, undo }: BoardViewProps) {
  const current = useTasks(room.document);
  // What is dragged stays where it is, also when somebody else moves or deletes it: dnd-kit does not bear that (checked on 0.5).
  const [held, setHeld] = useState<readonly Task[] | null>(null);
  const tasks = held ?? current;
  const focus = useKeptFocus();
  const changes = useMemo(() => new TaskChanges(room.document), [room]);
  const actions = useMemo<CardActions>(
    () => ({
      move: (id, column) => changes.move(id, { column, index: column === "done" ? 0 : Infinity }),
      assign: (id, person) => changes.assign(id, person),
      setDue: (id, due) => changes.setDue(id, due),
      remove: (id) => changes.remove(id),
      addBelow: ({ id, column }) => {
        const index = inColumn(readTasks(room.document), column).findIndex((task) => task.id === id) + 1;
        typeNextIn(changes.add({ title: "", column, index }));
      },
    }),
    [changes, room],
  );

  const drop = ({ operation, canceled }: DragEndEvent): void => {
    setHeld(null);
    const destination = canceled ? null : destinationOf(operation);
    if (destination) changes.move(String(operation.source?.id), destination);
  };

  return (
    <DragDropProvider
      plugins={withWords}
      onDragStart={() => setHeld(current)}
      onDragOver={stayInColumn}
      onDragEnd={drop}
    >
      <div className="board" {...focus}>
        {columns.map((column) => {
          const inside = inColumn(tasks, column);
          return (
            <BoardColumn
              key={column}
              column={column}
              count={inside.length}
              footer={
                isEditable && (
                  <NewTask
                    column={column}
                    onAdd={(title) => changes.add({ title, column, index: Infinity })}
                  />
                )
              }
            >
              {inside.map((task, index) => (
                <TaskCard
                  key={task.id}
                  room={room}
                  task={task}
                  index={index}
                  isEditable={isEditable}
                  editors={editorsOf(others, task)}
                  people={people}
                  undoManager={undo.manager}
                  actions={actions}
                />
              ))}
            </BoardColumn>
          );
        })}
      </div>
      {tasks.length === 0 && (
        <p className="hint no-tasks">
          No tasks yet.{isEditable && " Add the first one: everybody here sees it at once."}
        </p>
      )}
    </DragDropProvider>
  );
}

function inColumn(tasks: readonly Task[], column: Column): Task[] {
  return tasks.filter((task) => task.column === column);
}

const nobody: readonly PersonHere[] = [];

function editorsOf(others: readonly PersonHere[], task: Task): readonly PersonHere[] {
  const editors = others.filter((person) => person.editing.includes(task.id));
  // The same array where it is empty: a card that nobody edits does not render for it.
  return editors.length > 0 ? editors : nobody;
}
