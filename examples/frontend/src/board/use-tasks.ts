import { useEffect, useState } from "react";
import type * as Y from "yjs";
import { compareTasks, readTask, type Task, tasksOf } from "./tasks.ts";

/** The tasks in their order, followed. One that has not changed stays the same object, so that only what has changed renders. */
export function useTasks(document: Y.Doc): readonly Task[] {
  const [tasks, setTasks] = useState<readonly Task[]>(() => readAll(document));
  useEffect(() => {
    const stored = tasksOf(document);
    const read = (events?: Y.YEvent<Y.AbstractType<unknown>>[]): void => {
      const changed = events && new Set(events.flatMap(idsOf));
      setTasks((before) => readAll(document, { before, changed }));
    };
    stored.observeDeep(read);
    read();
    return () => stored.unobserveDeep(read);
  }, [document]);
  return tasks;
}

function readAll(
  document: Y.Doc,
  known?: { before: readonly Task[]; changed: ReadonlySet<string> | undefined },
): readonly Task[] {
  const before = new Map(known?.changed && known.before.map((task) => [task.id, task]));
  return [...tasksOf(document)]
    .map(([id, stored]) => (known?.changed?.has(id) ? null : before.get(id)) ?? readTask(id, stored))
    .filter((task) => task !== null)
    .toSorted(compareTasks);
}

/** An event is about the list itself (its keys are task ids), or about something inside of one task. */
function idsOf(event: Y.YEvent<Y.AbstractType<unknown>>): string[] {
  const [id] = event.path;
  return id === undefined ? [...event.changes.keys.keys()] : [String(id)];
}
