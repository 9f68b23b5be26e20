import type { Board } from "./board-access.ts";

export interface NoBoardProps {
  readonly boards: readonly Board[] | null;
  readonly hasTrouble: boolean;
  readonly onRetry: () => void;
}

/** In the place of a board: why there is none. */
export function NoBoard({ boards, hasTrouble, onRetry }: NoBoardProps) {
  if (boards) {
    const text =
      boards.length === 0 ? "There are no boards yet." : "There is no board under this address. Choose one.";
    return (
      <main className="board-page">
        <p className="refusal" role="alert">
          {text}
        </p>
      </main>
    );
  }
  if (!hasTrouble) return <main className="board-page" />;
  return (
    <main className="board-page">
      <div className="refusal" role="alert">
        <p>The boards cannot be loaded: the backend cannot be reached.</p>
        <button type="button" onClick={onRetry}>
          Try again
        </button>
      </div>
    </main>
  );
}
