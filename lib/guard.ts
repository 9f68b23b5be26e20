/**
 * Runs extension hooks so that one failing hook stays one failure. In stock Hocuspocus 4.7 a throw in 13 of the 25 hooks ends the
 * process (an unawaited promise, a `"code" in undefined`), and most of the others tell the client "permission denied".
 *
 * What a rejection means depends on the hook:
 *   refuse      somebody is coming in: a `Refusal` is passed on; anything else is our fault, the client is told to come back
 *   disconnect  somebody inside: this one connection is closed, with the `Refusal`'s code or a reset
 *   report      nobody to tell: logged, and the other extensions still get the event
 */
import type { Extension, HookName } from "@hocuspocus/server";
import { ClientLines } from "./client-lines.ts";
import { closeReasons } from "./close-reasons.ts";
import type { Log } from "./log.ts";
import { Refusal } from "./refusal.ts";

type Policy = "refuse" | "disconnect" | "report";

const policies: Readonly<Record<HookName, Policy>> = {
  onConnect: "refuse",
  onAuthenticate: "refuse",
  onCreateDocument: "refuse",
  onLoadDocument: "refuse",
  afterLoadDocument: "refuse",
  connected: "disconnect",
  onTokenSync: "disconnect",
  beforeHandleMessage: "disconnect",
  beforeSync: "disconnect",
  beforeHandleAwareness: "disconnect",
  afterHandleMessage: "report",
  onAwarenessUpdate: "report",
  onChange: "report",
  onStateless: "report",
  beforeBroadcastStateless: "report",
  onStoreDocument: "report",
  afterStoreDocument: "report",
  onDisconnect: "report",
  // Not a veto: a broken extension would pin every room in memory. Who needs a room kept says so with `rooms.hold`.
  beforeUnloadDocument: "report",
  afterUnloadDocument: "report",
  onConfigure: "report",
  onListen: "report",
  onUpgrade: "report",
  onRequest: "report",
  onDestroy: "report",
};

export const hookNames = Object.keys(policies) as HookName[];

type Hook = (payload: unknown) => unknown;

export class Guard {
  readonly #log: Log;
  readonly #lines: ClientLines;
  #failures = 0;

  constructor({ log }: { readonly log: Log }) {
    this.#log = log;
    this.#lines = new ClientLines(log);
  }

  /** Hook failures since start, for metrics and tests. */
  get failures(): number {
    return this.#failures;
  }

  /**
   * Runs one extension's hook and returns what it returned.
   * @throws Refusal only, and only where the policy lets a rejection through.
   */
  async run(
    name: HookName,
    extension: Extension,
    payload: { readonly documentName?: string },
  ): Promise<unknown> {
    try {
      return await (extension[name] as Hook).call(extension, payload);
    } catch (error) {
      const policy = policies[name];
      if (policy !== "report" && error instanceof Refusal) {
        // Whoever is refused hears the reason only; the cause is for the operator, and missed most when it is our trouble.
        const level = error.retry ? "warn" : "debug";
        const { reason, message } = error;
        const fields = { event: "refusal-cause", reason, hook: name, room: payload.documentName, err: error };
        this.#lines.write(level, fields, `${reason}: ${message}`);
        throw error;
      }
      this.#failures++;
      this.#log.error(
        {
          event: "hook-failed",
          hook: name,
          extension: nameOf(extension),
          room: payload.documentName,
          err: asError(error),
        },
        `Hook ${name} failed`,
      );
      if (policy === "report") return undefined;
      const closeReason = policy === "refuse" ? closeReasons.internalError : closeReasons.resetConnection;
      throw new Refusal(closeReason, `Hook ${name} failed`, { cause: error });
    }
  }
}

function nameOf(extension: Extension): string {
  return extension.extensionName ?? extension.constructor.name;
}

/** Hooks reject with nothing or with strings as well; the log and the `cause` want an Error. */
function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(`Rejected with ${String(error)}`);
}
