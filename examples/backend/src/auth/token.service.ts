/** Issues and checks the tokens that a browser shows to the collaboration server. */
import { Inject, Injectable } from "@nestjs/common";
import { JwtService } from "@nestjs/jwt";
import { z } from "zod";
import { CONFIG, type Config } from "../config.js";
import { RightsService } from "../rights/rights.service.js";
import type { Person } from "./people.js";
import { SignOuts } from "./sign-outs.js";

const tokenClaims = z.object({
  sub: z.string().min(1),
  name: z.string().optional(),
  color: z.string().optional(),
  /** Unix seconds. Required: a token without an end could never be taken back. */
  exp: z.number(),
  /** Sign-outs that the user had had when it was issued; none in tokens of an earlier version. */
  signOuts: z.number().default(0),
});

export type TokenClaims = z.infer<typeof tokenClaims>;

@Injectable()
export class TokenService {
  constructor(
    private readonly jwt: JwtService,
    private readonly rights: RightsService,
    private readonly signOuts: SignOuts,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  async issue(person: Person): Promise<string> {
    // Rights inside a token stay as they were at login. With the webhook they are asked anew, so leave them out there.
    const rooms = this.config.tokenCarriesRooms ? { rooms: this.rights.roomsOf(person.id) } : {};
    const signOuts = this.signOuts.countOf(person.id);
    return this.jwt.signAsync({ sub: person.id, name: person.name, color: person.color, signOuts, ...rooms });
  }

  /** @returns undefined for whatever is no valid token of ours: forged, expired, from before a sign-out, or no token at all */
  async verify(token: string): Promise<TokenClaims | undefined> {
    try {
      const claims = tokenClaims.safeParse(await this.jwt.verifyAsync(token)).data;
      return claims?.signOuts === (claims && this.signOuts.countOf(claims.sub)) ? claims : undefined;
    } catch {
      // Everything, not only JsonWebTokenError: a token whose payload is no JSON makes jsonwebtoken 9 throw a bare
      // SyntaxError, and answered with 500 that client would be told to come back for ever.
      return undefined;
    }
  }
}
