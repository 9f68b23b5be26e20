import { Body, Controller, HttpCode, Post, UnauthorizedException } from "@nestjs/common";
import { z } from "zod";
import { findPerson, type Person } from "./people.js";
import { TokenService } from "./token.service.js";

const loginRequest = z.object({ user: z.string() });

@Controller("auth")
export class AuthController {
  constructor(private readonly tokens: TokenService) {}

  @Post("login")
  @HttpCode(200)
  async login(
    @Body({ schema: loginRequest }) { user }: z.infer<typeof loginRequest>,
  ): Promise<{ token: string; user: Person }> {
    const person = findPerson(user);
    if (!person) throw new UnauthorizedException("unknown user");
    return { token: await this.tokens.issue(person), user: person };
  }
}
