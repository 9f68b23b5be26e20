import { Body, Controller, Get, Headers, HttpCode, Post, UnauthorizedException } from "@nestjs/common";
import { z } from "zod";
import { allPeople, findPerson, type Person } from "./people.js";
import { TokenService } from "./token.service.js";

const loginRequest = z.object({ user: z.string() });

@Controller("auth")
export class AuthController {
  constructor(private readonly tokens: TokenService) {}

  /** Whom the demo's login offers. A real application has no such list. */
  @Get("people")
  people(): readonly Person[] {
    return allPeople();
  }

  @Post("login")
  @HttpCode(200)
  async login(
    @Body({ schema: loginRequest }) { user }: z.infer<typeof loginRequest>,
  ): Promise<{ token: string; user: Person }> {
    const person = findPerson(user);
    if (!person) throw new UnauthorizedException("unknown user");
    return { token: await this.tokens.issue(person), user: person };
  }

  /**
   * A fresh token for one that is still good. The collaboration server asks each page for it a minute before its token ends, so whoever
   * stays in a room never logs in again. With a session cookie of your own, look at that instead.
   */
  @Post("refresh")
  @HttpCode(200)
  async refresh(@Headers("authorization") authorization?: string): Promise<{ token: string }> {
    const claims = await this.tokens.verify(authorization?.replace(/^Bearer /, "") ?? "");
    const person = claims && findPerson(claims.sub);
    if (!person) throw new UnauthorizedException("token is invalid or expired; log in again");
    return { token: await this.tokens.issue(person) };
  }
}
