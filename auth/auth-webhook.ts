/**
 * Asks the team's backend whether somebody may enter a room: a signed POST, and three kinds of answer. 200 admits, 401 and 403 refuse
 * for good, and everything else is the backend's trouble, which must not look like a refusal to the client.
 */
import { createHmac } from "node:crypto";
import { z } from "zod";
import { closeReasons } from "../lib/close-reasons.ts";
import type { Identity } from "../lib/identity.ts";
import { Refusal } from "../lib/refusal.ts";
import type { Attempt } from "./admission.ts";
import { CLOCK_TOLERANCE_SECONDS } from "./token-verifier.ts";

export interface AuthWebhookOptions {
  readonly url: string;
  readonly secret: string;
  readonly timeoutMs: number;
}

const answerSchema = z.object({
  user: z.object({ id: z.string().min(1), name: z.string(), color: z.string().optional() }),
  access: z.enum(["read", "write"]),
  expiresAt: z.number().optional(),
});

/** An answer is a few hundred bytes; a proxy's error page or a wrong URL may be anything. */
const MAX_ANSWER_BYTES = 65_536;

/** @throws Refusal when the answer is no, or when there is none. */
export type Question = (attempt: Attempt) => Promise<Identity>;

export function createAuthWebhook(options: AuthWebhookOptions): Question {
  return (attempt) => ask(attempt, options);
}

async function ask(
  { token, room, ip, origin, userAgent }: Attempt,
  options: AuthWebhookOptions,
): Promise<Identity> {
  const answer = await post(JSON.stringify({ token, room, ip, origin, userAgent }), options);
  if (answer.status === 401) throw new Refusal(closeReasons.tokenInvalid, "The backend answered 401");
  if (answer.status === 403) throw new Refusal(closeReasons.roomForbidden, "The backend answered 403");
  if (answer.status !== 200)
    throw new Refusal(closeReasons.authUnavailable, `The backend answered ${answer.status}`);
  const { user, access, expiresAt } = parse(answer.body);
  // Let in, they would be out again at the next look, and come back once a second.
  if (expiresAt !== undefined && Date.now() >= (expiresAt + CLOCK_TOLERANCE_SECONDS) * 1000)
    throw new Refusal(closeReasons.authUnavailable, "The backend admits until a time in the past: clocks?");
  const { id, name, color } = user;
  return {
    user: { id, name, ...(color !== undefined && { color }) },
    access,
    ...(expiresAt !== undefined && { expiresAt }),
  };
}

function parse(body: string): z.infer<typeof answerSchema> {
  try {
    return answerSchema.parse(JSON.parse(body));
  } catch (error) {
    throw new Refusal(closeReasons.authUnavailable, "The backend's answer is not of the agreed form", {
      cause: error,
    });
  }
}

async function post(
  body: string,
  { url, secret, timeoutMs }: AuthWebhookOptions,
): Promise<{ status: number; body: string }> {
  const timestamp = Math.floor(Date.now() / 1000).toString();
  const signature = createHmac("sha256", secret).update(`${timestamp}.${body}`).digest("hex");
  try {
    const response = await fetch(url, {
      method: "POST",
      body,
      headers: {
        "content-type": "application/json",
        "x-collab-timestamp": timestamp,
        "x-collab-signature": `sha256=${signature}`,
      },
      // Following one would hand the token to another address.
      redirect: "manual",
      signal: AbortSignal.timeout(timeoutMs),
    });
    if (response.status === 200) return { status: 200, body: await bodyOf(response) };
    // A refusal is a refusal whatever page comes with it.
    await response.body?.cancel();
    return { status: response.status, body: "" };
  } catch (error) {
    throw new Refusal(closeReasons.authUnavailable, "The backend did not answer", { cause: error });
  }
}

async function bodyOf(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > MAX_ANSWER_BYTES) throw new RangeError(`The answer is longer than ${MAX_ANSWER_BYTES} bytes`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
