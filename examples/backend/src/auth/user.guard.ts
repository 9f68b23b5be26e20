/** Admits whoever is logged in: `Authorization: Bearer` with a token of this application. `@CurrentUser()` is then the person. */
import {
  type CanActivate,
  createParamDecorator,
  type ExecutionContext,
  Injectable,
  UnauthorizedException,
} from "@nestjs/common";
import type { Request } from "express";
import { findPerson, type Person } from "./people.js";
import { TokenService } from "./token.service.js";

const users = new WeakMap<Request, Person>();

@Injectable()
export class UserGuard implements CanActivate {
  constructor(private readonly tokens: TokenService) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<Request>();
    const token = request.header("authorization")?.replace(/^Bearer /, "") ?? "";
    const claims = await this.tokens.verify(token);
    const person = claims && findPerson(claims.sub);
    if (!person) throw new UnauthorizedException("token is invalid or expired; log in again");
    users.set(request, person);
    return true;
  }
}

export const CurrentUser = createParamDecorator((_: unknown, context: ExecutionContext): Person | undefined =>
  users.get(context.switchToHttp().getRequest<Request>()),
);
