/**
 * Admits to a room or refuses, gives every later hook the identity as its `context`, and sees to it that nobody stays whose right ends.
 *
 * Hooks      onAuthenticate, connected, onTokenSync, onDestroy
 * Promises   A2 nobody enters a room without the right to it
 *            A3 a refusal is final, the backend's trouble asks to come back
 *            A4 read access makes the connection read-only
 *            A6 A10 to A15 rights that change or end while somebody is inside
 * On failure the client is told to come back (guard)
 */
import type { ConnectionConfiguration, Extension } from "@hocuspocus/server";
import type { Admission } from "../auth/admission.ts";
import { Expiry } from "../auth/expiry.ts";
import { FreshTokens } from "../auth/fresh-tokens.ts";
import type { Recheck } from "../auth/recheck.ts";
import type { Moment, Revocations } from "../auth/revocations.ts";
import type { Admitted } from "../auth/right.ts";
import type { Rights } from "../auth/rights.ts";
import type { RightsTiming } from "../auth/rights-timing.ts";
import type { Identity } from "../lib/identity.ts";
import type { Log } from "../lib/log.ts";
import type { ConnectionRequest } from "../transport/connection-request.ts";

export interface AuthenticationOptions {
  readonly admit: Admission;
  readonly rights: Rights;
  readonly revocations: Revocations;
  readonly recheck: Recheck;
  readonly timing: RightsTiming;
  readonly log: Log;
}

interface Arrival extends Admitted {
  readonly since: Moment;
}

export function authentication({
  admit,
  rights,
  revocations,
  recheck,
  timing,
  log,
}: AuthenticationOptions): Extension<Identity> {
  const freshTokens = new FreshTokens({ rights, admit, log });
  const expiry = new Expiry({
    rights,
    leadMs: timing.leadMs,
    awaitsAnswer: (member) => freshTokens.awaitsAnswer(member),
  });
  /** Admitted and not in the room yet. By the one object that both hooks get; who never arrives takes it along. */
  const arrivals = new WeakMap<ConnectionConfiguration, Arrival>();

  const sweeping = setInterval(() => {
    freshTokens.sweep();
    expiry.sweep();
    recheck.sweep();
  }, timing.sweepMs).unref();

  return {
    extensionName: "authentication",
    // Above `membership`, which lets in what the client has sent: who was revoked on the way in is out before that.
    priority: 20_000,

    /** What it returns becomes the connection's context (Hocuspocus merges it into an empty one). */
    async onAuthenticate({ token, documentName, request, socketId, connectionConfig }): Promise<Identity> {
      const connectionRequest = request as unknown as ConnectionRequest;
      const { ip, headers } = connectionRequest;
      const origin = headers.get("origin");
      const userAgent = headers.get("user-agent");
      const attempt = { token, room: documentName, ip, origin, userAgent, socketId };
      const identity = await admit(attempt, {
        onGone: (callback) => connectionRequest.onGone(callback),
      });
      connectionConfig.readOnly = identity.access === "read";
      arrivals.set(connectionConfig, {
        attempt,
        identity,
        confirmedAt: Date.now(),
        since: revocations.now(),
      });
      log.debug(
        { event: "admitted", room: documentName, user: identity.user.id, access: identity.access },
        `🔐 Admitted ${identity.user.id} to ${documentName}`,
      );
      return identity;
    },

    async connected({ connection, connectionConfig, documentName: room }) {
      const arrival = arrivals.get(connectionConfig);
      arrivals.delete(connectionConfig);
      if (!arrival || !connection.document.hasConnection(connection)) return;
      // Loading a room takes its time.
      const order = revocations.since(arrival.since, { user: arrival.identity.user.id, room });
      const right = rights.enter(connection, arrival);
      if (order === "ask-again") void recheck.ask(right);
      else if (order) rights.putOut(connection, order);
    },

    async onTokenSync({ connection, token }) {
      // Not awaited: what comes of it is told by the right, and a slow backend is no reason to keep messages waiting.
      freshTokens.offer(connection, token);
    },

    async onDestroy() {
      clearInterval(sweeping);
    },
  };
}
