/** Admits the bearer of ADMIN_TOKEN. Without that variable the routes do not exist, as far as a caller can tell. */
import { type CanActivate, type ExecutionContext, Inject, Injectable } from "@nestjs/common";
import { NotFoundException, UnauthorizedException } from "@nestjs/common";
import type { Request } from "express";
import { createHash, timingSafeEqual } from "node:crypto";
import { CONFIG, type Config } from "../config.js";

@Injectable()
export class AdminTokenGuard implements CanActivate {
  constructor(@Inject(CONFIG) private readonly config: Config) {}

  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<Request>();
    if (this.config.adminToken === undefined) {
      throw new NotFoundException(`Cannot ${request.method} ${request.originalUrl}`);
    }
    const given = request.headers.authorization ?? "";
    // Hashed first: timingSafeEqual wants equal lengths, and the length of the token is nobody's business either.
    if (!timingSafeEqual(sha256(given), sha256(`Bearer ${this.config.adminToken}`))) {
      throw new UnauthorizedException("needs Authorization: Bearer <ADMIN_TOKEN>");
    }
    return true;
  }
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
