import type { CardActions } from "./card-actions.ts";
import { columnNames } from "./column-names.ts";
import { DueDate } from "./due-date.tsx";
import { columns, type Task } from "./tasks.ts";

export interface TaskFieldsProps {
  readonly task: Task;
  /** For labels. */
  readonly name: string;
  readonly people: readonly { readonly id: string; readonly name: string }[];
  readonly isEditable: boolean;
  readonly actions: CardActions;
}

/** Who, until when, where. The browser's own controls: they have keyboards, screen readers and phones right. */
export function TaskFields({ task, name, people, isEditable, actions }: TaskFieldsProps) {
  const { id, assignee } = task;
  const isUnknown = assignee !== null && people.every((person) => person.id !== assignee);
  return (
    <div className="task-fields">
      <select
        aria-label={`Assignee of ${name}`}
        value={assignee ?? ""}
        disabled={!isEditable}
        onChange={({ target }) => actions.assign(id, target.value || null)}
      >
        <option value="">nobody</option>
        {/* Somebody who has left the team, or the team could not be loaded: without it the list would say "nobody". */}
        {isUnknown && <option value={assignee}>{assignee}</option>}
        {people.map((person) => (
          <option key={person.id} value={person.id}>
            {person.name}
          </option>
        ))}
      </select>
      <DueDate task={task} name={name} isEditable={isEditable} onChange={(due) => actions.setDue(id, due)} />
      <label className="chip move">
        <span aria-hidden="true">⇄</span>
        <select
          aria-label={`Column of ${name}`}
          value={task.column}
          disabled={!isEditable}
          onChange={({ target }) => {
            const column = columns.find((known) => known === target.value);
            if (column) actions.move(id, column);
          }}
        >
          {columns.map((column) => (
            <option key={column} value={column}>
              {columnNames[column]}
            </option>
          ))}
        </select>
      </label>
      <button
        type="button"
        className="quiet delete"
        aria-label={`Delete ${name}`}
        disabled={!isEditable}
        onClick={() => actions.remove(id)}
      >
        <span aria-hidden="true">✕</span>
      </button>
    </div>
  );
}
