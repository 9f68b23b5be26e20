/**
 * What one person shows of themselves: a JSON object of the client's making, whose `user` is the server's. Cursor libraries (y-prosemirror,
 * y-codemirror, Quill's, BlockNote) take name and colour from there and from nowhere else.
 */
import { closeReasons } from "../lib/close-reasons.ts";
import type { User } from "../lib/identity.ts";
import { Refusal } from "../lib/refusal.ts";

/**
 * Editors nest a selection four levels deep. y-protocols compares states by recursion in everybody's page, and JSON.stringify recurses here:
 * sixteen kilobytes of brackets end in a stack overflow on the way.
 */
const MAX_DEPTH = 32;

/** `#a1b2c3`, `tomato`, `hsl(120 75% 25% / 50%)`; nothing that loads something or ends a CSS declaration. */
const COLOR = /^(?!.*url)[\w#%.,()/ +-]{1,64}$/i;

export type PresenceState = Record<string, unknown>;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** `[` and `{`, `]` and `}` differ in this bit alone. */
const CURLY = 0x20;
const OPENING = 0x7b;
const CLOSING = 0x7d;

/**
 * @throws Refusal when it is too large or too deep, both known before anything is parsed; Error when it is no JSON object.
 */
export function readState(json: Uint8Array, { maxBytes }: { readonly maxBytes: number }): PresenceState {
  if (json.byteLength > maxBytes)
    throw new Refusal(closeReasons.awarenessTooBig, `A presence state of ${json.byteLength} bytes`);
  if (nestsTooDeeply(json))
    throw new Refusal(closeReasons.awarenessTooBig, `A presence state of more than ${MAX_DEPTH} levels`);
  const { buffer, byteOffset, byteLength } = json;
  const state: unknown = JSON.parse(Buffer.from(buffer, byteOffset, byteLength).toString());
  if (typeof state !== "object" || state === null || Array.isArray(state))
    throw new Error("A presence state that is no object");
  return state as PresenceState;
}

/**
 * Puts the admitted user in, in place of whatever the client says under `user`; only the colour may be the client's choice. Also where it
 * says nothing: everybody who is seen has a name, and it is theirs.
 */
export function signState(state: PresenceState, { id, name, color }: User): void {
  const chosen = colorOf(state["user"]) ?? color;
  state["user"] = chosen === undefined ? { id, name } : { id, name, color: chosen };
}

/** The id of the user whom a state names; undefined in one of a stock instance, which nobody has signed. */
export function userOf(state: PresenceState | undefined): string | undefined {
  const user = state?.["user"];
  if (typeof user !== "object" || user === null) return undefined;
  const { id } = user as { readonly id?: unknown };
  return typeof id === "string" ? id : undefined;
}

function colorOf(claimed: unknown): string | undefined {
  if (typeof claimed !== "object" || claimed === null) return undefined;
  const { color } = claimed as { readonly color?: unknown };
  return typeof color === "string" && COLOR.test(color) ? color : undefined;
}

function nestsTooDeeply(json: Uint8Array): boolean {
  let depth = 0;
  let isInString = false;
  for (let i = 0; i < json.byteLength; i++) {
    const byte = json[i] ?? 0;
    if (isInString) {
      if (byte === BACKSLASH) i++;
      else if (byte === QUOTE) isInString = false;
    } else if (byte === QUOTE) isInString = true;
    else if ((byte | CURLY) === OPENING && ++depth > MAX_DEPTH) return true;
    else if ((byte | CURLY) === CLOSING) depth--;
  }
  return false;
}
