/** Issues and checks the tokens that a browser shows to the collaboration server. */
import { Inject, Injectable } from "@nestjs/common";
import { JwtService } from "@nestjs/jwt";
import { z } from "zod";
import { CONFIG, type Config } from "../config.js";
import { RightsService } from "../rights/rights.service.js";
import type { Person } from "./people.js";

const tokenClaims = z.object({
  sub: z.string().min(1),
  name: z.string().optional(),
  color: z.string().optional(),
  /** Unix seconds. Required: a token without an end could never be taken back. */
  exp: z.number(),
});

export type TokenClaims = z.infer<typeof tokenClaims>;

@Injectable()
export class TokenService {
  constructor(
    private readonly jwt: JwtService,
    private readonly rights: RightsService,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  async issue(person: Person): Promise<string> {
    // Rights inside a token stay as they were at login. With the webhook they are asked anew, so leave them out there.
    const rooms = this.config.tokenCarriesRooms ? { rooms: this.rights.roomsOf(person.id) } : {};
    return this.jwt.signAsync({ sub: person.id, name: person.name, color: person.color, ...rooms });
  }

  /** @returns undefined for whatever is no valid token of ours: forged, expired, or no token at all */
  async verify(token: string): Promise<TokenClaims | undefined> {
    try {
      return tokenClaims.safeParse(await this.jwt.verifyAsync(token)).data;
    } catch {
      // Everything, not only JsonWebTokenError: a token whose payload is no JSON makes jsonwebtoken 9 throw a bare
      // SyntaxError, and answered with 500 that client would be told to come back for ever.
      return undefined;
    }
  }
}
