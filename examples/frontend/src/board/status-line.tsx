import type { SavedStatus } from "../collab/saved-status.ts";

export interface StatusLineProps {
  readonly status: SavedStatus;
}

/** Where the edits are. It never says "saved" before the server has. */
export function StatusLine({ status }: StatusLineProps) {
  return (
    <output className="status" data-status={status.kind}>
      <span className="status-dot" aria-hidden="true" />
      {textOf(status)}
    </output>
  );
}

function textOf(status: SavedStatus): string {
  switch (status.kind) {
    case "connecting":
      return "Connecting";
    case "saved":
      return "Saved";
    case "saving":
      return "Saving";
    case "offline":
      return offlineText(status);
    case "read-only":
      return status.unsaved > 0 ? `Read-only: ${count(status.unsaved)} of yours not saved` : "Read-only";
    case "out":
      return "Not connected";
  }
}

function offlineText({ changes, kept, why }: Extract<SavedStatus, { kind: "offline" }>): string {
  const reason = why ?? "Offline";
  if (changes === 0) return `${reason.replace(/\.$/, "")}: nothing is unsaved`;
  return `${reason.replace(/\.$/, "")}: ${count(changes)} kept ${kept ? "on this device" : "in this tab only"}`;
}

function count(changes: number): string {
  return changes === 1 ? "1 change" : `${changes} changes`;
}
