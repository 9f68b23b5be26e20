/**
 * The other direction: tells the collaboration server about changed rights, so that they hold within a second instead of at its next
 * re-check. Call it after your own tables have changed: the server asks the webhook again.
 *
 * It never throws. A change of rights must not fail because the collaboration server restarts; what could not be told is found
 * by the re-check (AUTH_RECHECK_SECONDS there).
 */
import { Inject, Injectable, Logger } from "@nestjs/common";
import { setTimeout as delay } from "node:timers/promises";
import { CONFIG, type Config } from "../config.js";

/** Three tries within about seven seconds: a person waits for the request that this is part of. */
const ATTEMPTS = 3;
const TIMEOUT_MS = 2000;
const PAUSE_MS = 300;

@Injectable()
export class CollabServer {
  readonly #logger = new Logger(CollabServer.name);

  constructor(@Inject(CONFIG) private readonly config: Config) {}

  /** The rights of a user have changed: the server asks about each of their connections again. */
  async recheck(userId: string): Promise<void> {
    await this.#order(`/api/users/${encodeURIComponent(userId)}/recheck`);
  }

  /**
   * Puts a user out of every room. Without `signOut` their next login works, if the webhook admits it.
   *
   * Where tokens carry the rights (AUTH_MODE=jwt there), those issued until now are void. Now is by the clock that also wrote their `iat`, and
   * of the first try, whichever arrives: the token of a login in between stays good.
   */
  async revoke(userId: string): Promise<void> {
    const before = Math.floor(Date.now() / 1000);
    await this.#order(`/api/users/${encodeURIComponent(userId)}/revoke?before=${before}`);
  }

  /** Puts one user, or everybody, out of a room, whatever their rights. */
  async kick(room: string, userId?: string): Promise<void> {
    const query = userId === undefined ? "" : `?user=${encodeURIComponent(userId)}`;
    await this.#order(`/api/rooms/${encodeURIComponent(room)}/kick${query}`);
  }

  async #order(path: string): Promise<void> {
    const { collabUrl, collabAdminToken } = this.config;
    if (collabUrl === undefined) return;
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      try {
        // Each order may be given twice: the second finds nobody to put out.
        const response = await fetch(`${collabUrl}${path}`, {
          method: "POST",
          headers: { authorization: `Bearer ${collabAdminToken}` },
          signal: AbortSignal.timeout(TIMEOUT_MS),
        });
        const answer = await response.text();
        if (response.ok) {
          this.#logger.log(`${path}: ${answer.trim()}`);
          return;
        }
        this.#logger.error(`${path}: ${response.status} ${answer.trim()}`);
        // Wrong token or address: it will not get better by asking again.
        if (response.status < 500) return;
      } catch (error) {
        // What fetch says itself is "fetch failed".
        const { message, cause } = error as Error;
        const reason = cause instanceof Error ? cause.message : message;
        this.#logger.error(`${path}: attempt ${attempt} of ${ATTEMPTS}: ${reason}`);
      }
      if (attempt < ATTEMPTS) await delay(PAUSE_MS * attempt);
    }
  }
}
