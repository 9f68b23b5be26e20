import type { Offline, SavedStatus } from "../collab/saved-status.ts";

export interface StatusLineProps {
  readonly status: SavedStatus;
}

/**
 * Where the edits are. It never says "saved" before the server has.
 *
 * What is seen changes with each letter that is typed; what a screen reader says aloud changes only when the connection or the access does.
 */
export function StatusLine({ status }: StatusLineProps) {
  return (
    <>
      <p className="status" data-status={status.kind}>
        <span className="status-dot" aria-hidden="true" />
        {textOf(status)}
      </p>
      <output className="visually-hidden">{announcementOf(status)}</output>
    </>
  );
}

function announcementOf(status: SavedStatus): string {
  switch (status.kind) {
    case "connecting":
    // Said by the alert in the place of the board.
    case "out":
      return "";
    case "saved":
    case "saving":
      return "Connected";
    case "offline":
      return status.keeps
        ? "Offline: changes are kept on this device"
        : "Offline: changes are in this tab only";
    case "read-only":
      return "Read-only";
  }
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
      return `${(status.why ?? "Offline").replace(/\.$/, "")}: ${whereChangesAre(status)}`;
    case "read-only":
      return status.unsaved > 0 ? `Read-only: ${count(status.unsaved)} of yours not saved` : "Read-only";
    case "out":
      return "Not connected";
  }
}

function whereChangesAre({ changes, kept, keeps }: Offline): string {
  if (changes === 0) return "nothing is unsaved";
  if (!keeps) return `${count(changes)} in this tab only`;
  return kept === 0 ? "keeping your change" : `${count(kept)} kept on this device`;
}

function count(changes: number): string {
  return changes === 1 ? "1 change" : `${changes} changes`;
}
