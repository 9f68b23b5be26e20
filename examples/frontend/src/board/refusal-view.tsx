import type { Refusal } from "../collab/reasons.ts";

export interface RefusalViewProps {
  readonly refusal: Refusal;
  readonly onRetry: () => void;
}

/** In the place of the board: why it is not there, and what can be done about it. */
export function RefusalView({ refusal, onRetry }: RefusalViewProps) {
  return (
    <div className="refusal" role="alert">
      <p>{refusal.text}</p>
      {refusal.next === "ask" && (
        <button type="button" onClick={onRetry}>
          Try again
        </button>
      )}
    </div>
  );
}
