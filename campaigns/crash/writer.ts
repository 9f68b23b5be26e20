/** Somebody who writes into one room of one server, and knows exactly which edits it was told are saved. Never used for a second server. */
import type { Edit } from "./ledger.ts";

export interface Writer {
  /** In the room, nothing on its way. */
  readonly joined: Promise<void>;
  /** Its connection has ended, whoever ended it. */
  readonly gone: Promise<void>;
  readonly isInside: boolean;
  /** Edits sent and not acknowledged, oldest first. */
  readonly outstanding: readonly Edit[];
  start(): void;
  leave(): void;
}

export interface WriterOptions {
  /** `ws://…` */
  readonly url: string;
  readonly room: string;
  /** An edit for the room, already in the ledger. */
  readonly next: () => Edit;
  /** Called synchronously, in the callback that tells the client. */
  readonly onAcknowledged: (edits: readonly Edit[]) => void;
}
