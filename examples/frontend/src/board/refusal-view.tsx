import type { Refusal } from "../collab/reasons.ts";

export interface RefusalViewProps {
  readonly refusal: Refusal;
  readonly onRetry: () => void;
  readonly onDiscard: () => void;
}

/** Above the board, or in its place: why it is not there, and what can be done about it. */
export function RefusalView({ refusal, onRetry, onDiscard }: RefusalViewProps) {
  return (
    <div className="refusal" role="alert">
      <p>{refusal.text}</p>
      {refusal.next === "ask" && (
        <button type="button" onClick={onRetry}>
          Try again
        </button>
      )}
      {refusal.next === "discard" && (
        <>
          <p className="hint">Below is the board with them, to copy from.</p>
          <button type="button" onClick={onDiscard}>
            Discard what is unsaved, and open the board
          </button>
        </>
      )}
    </div>
  );
}
