import type { Task } from "./tasks.ts";

export interface DueDateProps {
  readonly task: Task;
  readonly name: string;
  readonly isEditable: boolean;
  readonly onChange: (due: string | null) => void;
}

export function DueDate({ task: { due, column }, name, isEditable, onChange }: DueDateProps) {
  const isOverdue = due !== null && column !== "done" && due < today();
  return (
    <label className="chip due" data-overdue={isOverdue}>
      <span aria-hidden="true">{due === null ? "no date" : shortDate(due)}</span>
      <input
        type="date"
        aria-label={`Due date of ${name}${isOverdue ? ", overdue" : ""}`}
        value={due ?? ""}
        disabled={!isEditable}
        onChange={({ target }) => onChange(target.value || null)}
      />
    </label>
  );
}

const short = { day: "numeric", month: "short", timeZone: "UTC" } as const;
const thisYear = new Intl.DateTimeFormat(undefined, short);
const otherYears = new Intl.DateTimeFormat(undefined, { ...short, year: "numeric" });

/** Dates without a time are read as UTC, so they are written as UTC. */
function shortDate(date: string): string {
  const time = Date.parse(date);
  if (Number.isNaN(time)) return date;
  return (date.slice(0, 4) === today().slice(0, 4) ? thisYear : otherYears).format(time);
}

/** Of this device's own calendar, as the others are. */
function today(): string {
  const now = new Date();
  return new Date(now.getTime() - now.getTimezoneOffset() * 60_000).toISOString().slice(0, 10);
}
