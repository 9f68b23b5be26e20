/**
 * What decides who may enter. One function type, so that modes are combined by composing functions and the Hocuspocus hook stays
 * the same for all of them.
 */
import type { Config } from "../lib/config.ts";
import { closeReasons } from "../lib/close-reasons.ts";
import type { Identity } from "../lib/identity.ts";
import { Refusal } from "../lib/refusal.ts";
import { addressGroup } from "../limits/address-group.ts";
import { createAuthWebhook } from "./auth-webhook.ts";
import { oncePerKey, type Asker } from "./once-per-key.ts";
import type { Outage } from "./outage.ts";
import type { Revocations } from "./revocations.ts";
import { accessIn } from "./room-rights.ts";
import { createTokenVerifier } from "./token-verifier.ts";
import { Turns } from "./turns.ts";

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

/** Who waits for the answer to an attempt. */
export interface Applicant extends Asker {
  /** As whom they are in the room already, where they are. */
  readonly user?: string;
}

/** @throws Refusal when the answer is no, or when there is none right now. */
export type Admission = (attempt: Attempt, applicant: Applicant) => Promise<Identity>;

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
  return async (attempt, applicant) => {
    if (attempt.token.length > MAX_TOKEN_LENGTH)
      throw new Refusal(closeReasons.tokenInvalid, "The token is too long");
    return await admit(attempt, applicant);
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
      return async (attempt, applicant) => {
        verify(attempt.token);
        return await ask(attempt, applicant);
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
    const verdict = revocations.tokens.judge(sub, iat);
    if (verdict === "void")
      throw new Refusal(closeReasons.accessRevoked, `The token of ${sub} is from before the revocation`);
    if (verdict === "unsure")
      throw new Refusal(closeReasons.sessionExpired, `The token of ${sub} may be from before the revocation`);
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

/** Questions to the backend at once; more wait their turn. A small NestJS process answers a few hundred a second. */
const MAX_QUESTIONS_AT_ONCE = 64;

/** 32 MB of the longest tokens, and as much as such a process answers in some seconds: who waits longer has long given up. */
const MAX_WAITING = 2000;

/** More than come at once from one office; where all come through one address, the others are back in a second. */
const MAX_WAITING_OF_ADDRESS = 100;

function admitByWebhook(config: Config, { revocations, outage }: AdmissionOptions): Admission {
  const ask = outage.watch(
    createAuthWebhook({
      url: required(config.authWebhookUrl),
      secret: required(config.authWebhookSecret),
      timeoutMs: config.authWebhookTimeoutMs,
    }),
  );
  const turns = new Turns({
    atOnce: MAX_QUESTIONS_AT_ONCE,
    maxWaiting: MAX_WAITING,
    maxWaitingInLane: MAX_WAITING_OF_ADDRESS,
    // Not "auth-unavailable": the backend is not asked, and may be in the best of health.
    refusal: () => new Refusal(closeReasons.serverBusy, "Too many wait to be asked about"),
  });
  return oncePerKey({
    // Twenty tabs of one person reconnecting are one question. Those inside do not wait behind those who want to come in, not even for
    // an answer about the same token.
    keyOf: ({ token, room }, { user }) => `${user === undefined ? "in" : "stay"}\0${room}\0${token}`,
    // Nobody hears it, so it is a final one: those are no warning in the log.
    goneReason: () => new Refusal(closeReasons.tokenInvalid, "The client has gone"),
    async run(attempt: Attempt, { user }: Applicant, abandoned) {
      const { room } = attempt;
      // Of those inside no more than 32 are asked about at once (FreshTokens, Recheck): half remains for logins.
      const lane = user === undefined ? addressGroup(attempt.ip) : null;
      for (let question = 1; ; question++) {
        let askedAt = revocations.now();
        // An order that came while the question was under way is newer than the answer: the backend may have looked before it.
        const isOutdated = (about: string): boolean =>
          revocations.since(askedAt, { user: about, room }) !== null;
        try {
          const identity = await turns.take({ lane, abandoned }, () => {
            askedAt = revocations.now();
            return ask(attempt);
          });
          if (!isOutdated(identity.user.id)) return identity;
          if (question === MAX_QUESTIONS_A_LOGIN)
            throw new Refusal(closeReasons.accessRevoked, "Revoked again with each answer");
        } catch (error) {
          // A refusal names nobody. Of those inside it is known who they are; who is not in yet may try again.
          const isRefused = error instanceof Refusal && !error.retry;
          const mayHaveChanged = isRefused && user !== undefined && isOutdated(user);
          if (!mayHaveChanged || question === MAX_QUESTIONS_A_LOGIN) throw error;
        }
      }
    },
  });
}

/** The configuration has checked it for this mode already. */
function required(value: string | null): string {
  if (value === null) throw new TypeError("A setting of this auth mode is missing");
  return value;
}
