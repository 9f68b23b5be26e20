/** The auth webhook's two shapes: what the collaboration server asks, and the answer that admits. */
import { z } from "zod";
import type { Access } from "../rights/rights.service.js";

export const authorizationRequest = z.object({
  /** Whatever the browser gave as its token, unchecked. */
  token: z.string(),
  room: z.string(),
  /** Of the browser, not of the caller; for rules such as "office network only". */
  ip: z.string().nullish(),
  origin: z.string().nullish(),
  userAgent: z.string().nullish(),
});

export type AuthorizationRequest = z.infer<typeof authorizationRequest>;

export interface Admission {
  /** Shown to everybody in the room. */
  user: { id: string; name: string; color: string | undefined };
  access: Access;
  /** Unix seconds; the admission ends then. */
  expiresAt: number;
}
