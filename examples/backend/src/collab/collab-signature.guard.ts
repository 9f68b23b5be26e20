/**
 * Admits only calls that the collaboration server signed with AUTH_WEBHOOK_SECRET, at most five minutes ago.
 *
 * A bad signature is answered with 400, never with 401 or 403. Those two mean "this user is refused for good" to the
 * collaboration server; a secret that differs between the two servers is our own set-up fault, and must not throw out
 * every user there is. On 400 they are told to come back, and get in as soon as the secret is right.
 */
import {
  BadRequestException,
  type CanActivate,
  type ExecutionContext,
  Inject,
  Injectable,
} from "@nestjs/common";
import type { RawBodyRequest } from "@nestjs/common";
import type { Request } from "express";
import { createHmac, timingSafeEqual } from "node:crypto";
import { CONFIG, type Config } from "../config.js";

/** Room for clocks that differ. Within it a call can be replayed, which harms nothing: it changes nothing here. */
const MAX_AGE_SECONDS = 300;

@Injectable()
export class CollabSignatureGuard implements CanActivate {
  constructor(@Inject(CONFIG) private readonly config: Config) {}

  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<RawBodyRequest<Request>>();
    const timestamp = request.header("x-collab-timestamp") ?? "";
    const signature = /^sha256=([0-9a-f]{64})$/i.exec(request.header("x-collab-signature") ?? "")?.[1];
    if (!/^\d{1,12}$/.test(timestamp) || signature === undefined) {
      throw new BadRequestException("x-collab-timestamp or x-collab-signature is missing or malformed");
    }
    // Only with NestFactory.create(…, { rawBody: true }), and only for a body that was parsed (JSON).
    if (request.rawBody === undefined) {
      throw new BadRequestException("no raw JSON body to check the signature over");
    }

    const expected = createHmac("sha256", this.config.webhookSecret)
      .update(`${timestamp}.`)
      .update(request.rawBody)
      .digest();
    if (!timingSafeEqual(expected, Buffer.from(signature, "hex"))) {
      throw new BadRequestException(
        "x-collab-signature does not match: is AUTH_WEBHOOK_SECRET the same on both servers?",
      );
    }
    if (Math.abs(Date.now() / 1000 - Number(timestamp)) > MAX_AGE_SECONDS) {
      throw new BadRequestException(
        `x-collab-timestamp is more than ${MAX_AGE_SECONDS} s off: do the clocks of both servers agree?`,
      );
    }
    return true;
  }
}
