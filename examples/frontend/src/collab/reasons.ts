/**
 * What the server says when it turns somebody away, and what that means for the page. The whole list is in the server's docs/SPEC.md; a test
 * compares it with this one.
 */

export interface Refusal {
  /** The server's word. */
  readonly reason: string;
  /** For the person in front of the page. */
  readonly text: string;
  /**
   * - `login`: the session is over, only a new login helps
   * - `ask`: worth another try when the person asks for it
   * - `discard`: what is unsaved is what the server refuses, and it would again. The person may copy it, and then go on without it
   * - `nothing`: the same would happen again
   */
  readonly next: "login" | "ask" | "discard" | "nothing";
  /** What is kept on this device of the room is no longer theirs to see. */
  readonly forgetCopy: boolean;
}

type Meaning = Omit<Refusal, "reason">;

const ask = (text: string): Meaning => ({ text, next: "ask", forgetCopy: false });
const anew = (text: string): Meaning => ({ text, next: "ask", forgetCopy: true });
const discard = (text: string): Meaning => ({ text, next: "discard", forgetCopy: false });
const login = (text: string): Meaning => ({ text, next: "login", forgetCopy: false });
const final = (text: string): Meaning => ({ text, next: "nothing", forgetCopy: false });

/** Final words: the provider reports them as `authenticationFailed` and asks no more. */
const refusals: Readonly<Record<string, Meaning>> = {
  // The same words: whether the server or the backend says it first is chance, and the backend does not say why it knows a token no more.
  "token-invalid": login("Your session has ended. Log in again."),
  "token-expired": login("Your session has ended. Log in again."),
  "room-forbidden": anew("You have no access to this board. Ask its owner."),
  "access-revoked": anew("You were removed from this board."),
  kicked: ask("You were put out of this board."),
  "room-full": ask("This board is full at the moment."),
  "too-many-tabs": ask("You have this board open in too many tabs. Close some of them."),
  "too-much-open": ask("You have too much open at once. Close some boards."),
  // A new document and an empty copy: with these it would be the same again.
  "client-id-taken": discard("What is unsaved here cannot be saved."),
  "too-many-rooms": ask("Too many boards are open on this page."),
  "room-name-invalid": final("There is no board under this address."),
  "document-too-big": discard("This board has reached its size limit. Your last changes were not saved."),
  "awareness-too-big": final("This page showed the others more than the server takes."),
  "too-costly": ask("Your changes kept everybody waiting. Wait a moment before you go on."),
  "update-rejected": discard("Your last changes broke this board and were not saved."),
  // Closes. The first two no stock provider brings about; a proxy in between might.
  "binary-frames-only": final("The connection was refused."),
  "too-many-pieces": final("The connection was refused."),
  "message-too-big": discard("Your last change was larger than the server takes, and was not saved."),
};

/** What a browser is told where a message was too large, whoever closes. */
const TOO_BIG = 1009;

/** Closes after which the provider is back by itself, with everything written meanwhile. Said only while it lasts. */
const troubles: Readonly<Record<string, string>> = {
  "server-restarting": "The server is restarting.",
  "server-busy": "The server is busy.",
  "Reset Connection": "The connection was reset.",
  "Connection Timeout": "The connection went silent.",
  "rate-limited": "Too many changes at once; a short pause.",
  "internal-error": "The server had a problem.",
  "storage-unavailable": "The board cannot be loaded or saved at the moment.",
  "memory-full": "The server has too much open.",
  "auth-unavailable": "Access cannot be checked at the moment.",
  "session-expired": "The session is being renewed.",
  "slow-consumer": "The connection is too slow.",
  "room-reloaded": "The board is being reloaded.",
};

export function refusalFor(reason: string): Refusal {
  const meaning = Object.hasOwn(refusals, reason) ? refusals[reason] : undefined;
  return { reason, ...(meaning ?? ask("The board could not be opened.")) };
}

/** A final word that comes as a close, which the provider does not take as one. */
export function refusalByClose({ code, reason }: { code: number; reason: string }): Refusal | null {
  if (code === TOO_BIG) return refusalFor("message-too-big");
  return Object.hasOwn(refusals, reason) ? refusalFor(reason) : null;
}

/** Whether the server ever says this, so that a test finds what is missing. */
export function isKnown(reason: string): boolean {
  return Object.hasOwn(refusals, reason) || Object.hasOwn(troubles, reason);
}

/** Why the connection is away, where the server said it. */
export function troubleFor(reason: string): string | null {
  return Object.hasOwn(troubles, reason) ? (troubles[reason] ?? null) : null;
}
