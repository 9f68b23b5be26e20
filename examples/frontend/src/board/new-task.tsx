import { useState } from "react";
import { columnNames } from "./column-names.ts";
import type { Column } from "./tasks.ts";

export interface NewTaskProps {
  readonly column: Column;
  readonly onAdd: (title: string) => void;
}

export function NewTask({ column, onAdd }: NewTaskProps) {
  const [title, setTitle] = useState("");
  return (
    <form
      className="new-task"
      onSubmit={(event) => {
        event.preventDefault();
        if (title.trim() === "") return;
        onAdd(title.trim());
        setTitle("");
      }}
    >
      <input
        aria-label={`New task in ${columnNames[column]}`}
        placeholder="Add a task"
        value={title}
        onChange={({ target }) => setTitle(target.value)}
        enterKeyHint="done"
        maxLength={500}
      />
      <button type="submit" aria-label={`Add to ${columnNames[column]}`} disabled={title.trim() === ""}>
        <span aria-hidden="true">+</span>
      </button>
    </form>
  );
}
