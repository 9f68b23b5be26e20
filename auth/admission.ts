/**
 * What decides who may enter. One function type, so that modes are combined by composing functions and the Hocuspocus hook stays
 * the same for all of them.
 */
import type { Config } from "../lib/config.ts";
import { closeReasons } from "../lib/close-reasons.ts";
import type { Identity } from "../lib/identity.ts";
import { Refusal } from "../lib/refusal.ts";
import { createAuthWebhook } from "./auth-webhook.ts";
import { oncePerKey } from "./once-per-key.ts";
import type { Outage } from "./outage.ts";
import type { Revocations } from "./revocations.ts";
import { accessIn } from "./room-rights.ts";
import { createTokenVerifier } from "./token-verifier.ts";

/** Somebody at the door of a room. */
export interface Attempt {
  readonly token: string;
  readonly room: string;
  readonly ip: string;
  readonly origin: string | null;
  readonly userAgent: string | null;
  /** Random id of the socket, the only thing known of a guest. */
  readonly socketId: string;
}

/** @throws Refusal when the answer is no, or when there is none right now. */
export type Admission = (attempt: Attempt) => Promise<Identity>;

/**
 * A longer token is no token: HTTP servers refuse such headers too. Without a limit it would reach the webhook, whose body parser
 * answers 413, and that would look like the backend's trouble.
 */
export const MAX_TOKEN_LENGTH = 16_384;

export interface AdmissionOptions {
  readonly revocations: Revocations;
  readonly outage: Outage;
}

export function createAdmission(config: Config, options: AdmissionOptions): Admission {
  const admit = admissionOf(config, options);
  return async (attempt) => {
    if (attempt.token.length > MAX_TOKEN_LENGTH)
      throw new Refusal(closeReasons.tokenInvalid, "The token is too long");
    return await admit(attempt);
  };
}

function admissionOf(config: Config, options: AdmissionOptions): Admission {
  switch (config.authMode) {
    case "none":
      return admitGuests;
    case "jwt":
      return admitByToken(config, options);
    case "webhook":
      return admitByWebhook(config, options);
    case "jwt+webhook": {
      // The local check first: a forged or expired token costs the backend nothing.
      const verify = createTokenVerifier(config);
      const ask = admitByWebhook(config, options);
      return async (attempt) => {
        verify(attempt.token);
        return await ask(attempt);
      };
    }
    default:
      return config.authMode satisfies never;
  }
}

const admitGuests: Admission = async ({ socketId }) => {
  const id = `guest-${socketId.slice(0, 8)}`;
  return { user: { id, name: id }, access: "write" };
};

function admitByToken(config: Config, { revocations }: AdmissionOptions): Admission {
  const verify = createTokenVerifier(config);
  return async ({ token, room }) => {
    const { sub, name, color, exp, iat, rooms } = verify(token);
    // Nobody else is asked in this mode. A token issued after the revocation is the backend's newer word.
    if (revocations.covers(sub, iat))
      throw new Refusal(closeReasons.accessRevoked, `The token of ${sub} is from before the revocation`);
    const access = rooms ? accessIn(rooms, room) : config.jwtDefaultAccess;
    if (access === "none") throw new Refusal(closeReasons.roomForbidden, `${sub} has no right to the room`);
    return {
      user: { id: sub, name: name ?? sub, ...(color !== undefined && { color }) },
      access,
      ...(exp !== undefined && { expiresAt: exp }),
    };
  };
}

/** A backend that takes a user's rights back this often while one question is under way means it. */
const MAX_QUESTIONS_A_LOGIN = 3;

function admitByWebhook(config: Config, { revocations, outage }: AdmissionOptions): Admission {
  const ask = outage.watch(
    createAuthWebhook({
      url: required(config.authWebhookUrl),
      secret: required(config.authWebhookSecret),
      timeoutMs: config.authWebhookTimeoutMs,
    }),
  );
  // Twenty tabs of one person reconnecting are one question.
  return oncePerKey(
    ({ token, room }) => `${room}\0${token}`,
    async (attempt) => {
      for (let question = 0; question < MAX_QUESTIONS_A_LOGIN; question++) {
        const askedAt = revocations.now();
        const identity = await ask(attempt);
        // An order that came while the question was under way is newer than the answer: the backend may have looked before it.
        if (revocations.since(askedAt, { user: identity.user.id, room: attempt.room }) === null)
          return identity;
      }
      throw new Refusal(closeReasons.accessRevoked, "Revoked again with each answer");
    },
  );
}

/** The configuration has checked it for this mode already. */
function required(value: string | null): string {
  if (value === null) throw new TypeError("A setting of this auth mode is missing");
  return value;
}
