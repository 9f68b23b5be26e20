import type { CardActions } from "./card-actions.ts";
import { columnNames } from "./column-names.ts";
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
  const { id } = task;
  return (
    <div className="task-fields">
      <select
        aria-label={`Assignee of ${name}`}
        data-empty={task.assignee === null}
        value={task.assignee ?? ""}
        disabled={!isEditable}
        onChange={({ target }) => actions.assign(id, target.value || null)}
      >
        <option value="">nobody</option>
        {people.map((person) => (
          <option key={person.id} value={person.id}>
            {person.name}
          </option>
        ))}
      </select>
      <input
        type="date"
        aria-label={`Due date of ${name}`}
        data-empty={task.due === null}
        value={task.due ?? ""}
        disabled={!isEditable}
        onChange={({ target }) => actions.setDue(id, target.value || null)}
      />
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
