import type { Column } from "./tasks.ts";

export const columnNames: Readonly<Record<Column, string>> = {
  todo: "To do",
  doing: "In progress",
  done: "Done",
};
