/**
 * By what right everybody is in the rooms, and the two things that can happen to a right while somebody is inside: it changes, or it ends.
 * When that is so is decided elsewhere (`Expiry`, `FreshTokens`, `Recheck`, `BackendOrders`).
 */
import { OutgoingMessage } from "@hocuspocus/server";
import type { CloseReason } from "../lib/close-reasons.ts";
import type { Identity } from "../lib/identity.ts";
import type { Log } from "../lib/log.ts";
import type { Member } from "../members/member.ts";
import type { Admitted, Right } from "./right.ts";

export interface RightsOptions {
  readonly log: Log;
  /** Somebody who might only read may write from now on. */
  readonly onMayWrite: (member: Member) => void;
}

export class Rights {
  readonly #options: RightsOptions;
  /** By user: with a key of all that makes a right, each token would be in memory twice. */
  readonly #ofUsers = new Map<string, readonly Right[]>();
  readonly #rightOf = new WeakMap<Member, Right>();

  constructor(options: RightsOptions) {
    this.#options = options;
  }

  *[Symbol.iterator](): Iterator<Right> {
    for (const ofUser of this.#ofUsers.values()) yield* ofUser;
  }

  of(member: Member): Right | undefined {
    return this.#rightOf.get(member);
  }

  /** The rights of one user, in one room, or of everybody everywhere. */
  matching({ user, room }: { readonly user?: string; readonly room?: string }): Right[] {
    const candidates = user === undefined ? [...this] : this.#of(user);
    return candidates.filter(({ attempt }) => room === undefined || attempt.room === room);
  }

  /** Somebody has come in; leaving needs no call. */
  enter(member: Member, admitted: Admitted): Right {
    member.onClose(() => this.#leave(member));
    return this.#join(member, admitted);
  }

  /** The same user stands on another token from now on. */
  renew(member: Member, admitted: Admitted): void {
    const before = this.of(member)?.identity ?? admitted.identity;
    this.#leave(member);
    this.#apply(member, { before, identity: admitted.identity });
    this.#join(member, admitted);
  }

  /** The backend has answered anew. Holds from the next message of each member on: `readOnly` is looked at for every one. */
  confirm(right: Right, identity: Identity, confirmedAt = Date.now()): void {
    const before = right.identity;
    right.identity = identity;
    right.confirmedAt = confirmedAt;
    for (const member of right.members) this.#apply(member, { before, identity });
  }

  /** Ends a right and returns how many connections that put out. */
  end(right: Right, closeReason: CloseReason): number {
    const { members } = right;
    for (const member of members) this.putOut(member, closeReason);
    return members.length;
  }

  putOut(member: Member, closeReason: CloseReason): void {
    const { reason, code } = closeReason;
    const room = member.document.name;
    const user = member.context.user.id;
    this.#options.log.info(
      { event: "put-out", room, user, reason, code },
      `🚪 Put ${user} out of ${room}: ${reason}`,
    );
    // What waits for a hook of an extension is still handled after the close; no edit among it is to count.
    member.readOnly = true;
    member.close({ code, reason });
  }

  #join(member: Member, { attempt, identity, confirmedAt }: Admitted): Right {
    const { room, token } = attempt;
    const ofUser = this.#of(identity.user.id);
    let right = ofUser.find((known) => known.attempt.room === room && known.attempt.token === token);
    if (!right) {
      right = { attempt, identity, confirmedAt, members: [], phase: Math.random() };
      this.#ofUsers.set(identity.user.id, ofUser.concat(right));
    }
    // The newest answer holds for all tabs: that of somebody who has been long on the way in may be older than a re-check of another tab.
    else if (confirmedAt >= right.confirmedAt) this.confirm(right, identity, confirmedAt);
    else this.#apply(member, { before: identity, identity: right.identity });
    right.members = right.members.concat(member);
    this.#rightOf.set(member, right);
    return right;
  }

  #leave(member: Member): void {
    const right = this.#rightOf.get(member);
    if (!right) return;
    this.#rightOf.delete(member);
    right.members = right.members.filter((other) => other !== member);
    if (right.members.length > 0) return;
    const user = right.identity.user.id;
    const left = this.#of(user).filter((other) => other !== right);
    if (left.length > 0) this.#ofUsers.set(user, left);
    else this.#ofUsers.delete(user);
  }

  #of(user: string): readonly Right[] {
    return this.#ofUsers.get(user) ?? [];
  }

  /**
   * Changed in place: Hocuspocus hands the same object to every later hook as `context`, and would not see another one. Only what has changed: an
   * extension may have made the connection read-only at its login, whatever its access.
   */
  #apply(
    member: Member,
    { before, identity }: { readonly before: Identity; readonly identity: Identity },
  ): void {
    const context = member.context as { -readonly [K in keyof Identity]: Identity[K] };
    delete context.expiresAt;
    Object.assign(context, identity);
    if (before.access === identity.access) return;
    const readOnly = identity.access === "read";
    member.readOnly = readOnly;
    // The provider takes it for the answer to a login and has the new `authorizedScope`, with an `authenticated` event.
    const scope = new OutgoingMessage(member.messageAddress).writeAuthenticated(readOnly);
    member.send(scope.toUint8Array());
    if (!readOnly) this.#options.onMayWrite(member);
    const room = member.document.name;
    this.#options.log.info(
      { event: "access-changed", room, user: identity.user.id, access: identity.access },
      `🔐 ${identity.user.id} may ${identity.access} in ${room} now`,
    );
  }
}
