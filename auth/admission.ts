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

export function createAdmission(config: Config): Admission {
  switch (config.authMode) {
    case "none":
      return admitGuests;
    case "jwt":
      return admitByToken(config);
    case "webhook":
      return admitByWebhook(config);
    case "jwt+webhook": {
      // The local check first: a forged or expired token costs the backend nothing.
      const verify = createTokenVerifier(config);
      const ask = admitByWebhook(config);
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

function admitByToken(config: Config): Admission {
  const verify = createTokenVerifier(config);
  return async ({ token, room }) => {
    const { sub, name, color, exp, rooms } = verify(token);
    const access = rooms ? accessIn(rooms, room) : config.jwtDefaultAccess;
    if (access === "none") throw new Refusal(closeReasons.roomForbidden, `${sub} has no right to the room`);
    return {
      user: { id: sub, name: name ?? sub, ...(color !== undefined && { color }) },
      access,
      ...(exp !== undefined && { expiresAt: exp }),
    };
  };
}

function admitByWebhook(config: Config): Admission {
  const ask = createAuthWebhook({
    url: required(config.authWebhookUrl),
    secret: required(config.authWebhookSecret),
    timeoutMs: config.authWebhookTimeoutMs,
  });
  // Twenty tabs of one person reconnecting are one question.
  return oncePerKey(({ token, room }) => `${room}\0${token}`, ask);
}

/** The configuration has checked it for this mode already. */
function required(value: string | null): string {
  if (value === null) throw new TypeError("A setting of this auth mode is missing");
  return value;
}
