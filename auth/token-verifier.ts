/** Local check of the backend's tokens with `jsonwebtoken`. */
import jwt, { type VerifyOptions } from "jsonwebtoken";
import { z } from "zod";
import { closeReasons } from "../lib/close-reasons.ts";
import type { Config } from "../lib/config.ts";
import { algorithmOf } from "../lib/jwt-key.ts";
import { Refusal } from "../lib/refusal.ts";

/** `rooms` maps room names or globs to access. */
const claimsSchema = z.object({
  sub: z.string().min(1),
  name: z.string().optional(),
  color: z.string().optional(),
  exp: z.number().optional(),
  iat: z.number().optional(),
  rooms: z.record(z.string(), z.enum(["read", "write"])).optional(),
});

export type Claims = z.infer<typeof claimsSchema>;

/** Backend and server need not agree to the second: a token used at once carries an `nbf` that our clock may not have reached. */
export const CLOCK_TOLERANCE_SECONDS = 5;

type JwtConfig = Pick<Config, "jwtSecret" | "jwtPublicKey" | "jwtAlgorithms" | "jwtIssuer" | "jwtAudience">;

/**
 * A function from a token to its claims.
 *
 * The accepted algorithms come from our key, never from the token: that is what stops `alg: none` and an RSA public key used as an
 * HMAC secret.
 * @throws Refusal `token-expired` or `token-invalid`.
 */
export function createTokenVerifier(config: JwtConfig): (token: string) => Claims {
  const key = config.jwtSecret ?? config.jwtPublicKey;
  // The configuration has checked it for this mode already.
  if (key === null) throw new TypeError("A token is checked with a key");
  const rules: VerifyOptions = {
    algorithms: config.jwtAlgorithms ?? [typeof key === "string" ? "HS256" : algorithmOf(key)],
    clockTolerance: CLOCK_TOLERANCE_SECONDS,
    ...(config.jwtIssuer !== null && { issuer: config.jwtIssuer }),
    ...(config.jwtAudience !== null && { audience: config.jwtAudience }),
  };
  return (token) => {
    try {
      return claimsSchema.parse(jwt.verify(token, key, rules));
    } catch (error) {
      const expired = error instanceof jwt.TokenExpiredError;
      const message = error instanceof z.ZodError ? z.prettifyError(error) : (error as Error).message;
      throw new Refusal(expired ? closeReasons.tokenExpired : closeReasons.tokenInvalid, message);
    }
  };
}
