/** Tells the collaboration server whether a user may enter a room. The whole contract is in README.md. */
import { Body, Controller, ForbiddenException, HttpCode, Post } from "@nestjs/common";
import { UnauthorizedException, UseGuards } from "@nestjs/common";
import { TokenService } from "../auth/token.service.js";
import { RightsService } from "../rights/rights.service.js";
import { type Admission, authorizationRequest, type AuthorizationRequest } from "./authorization.js";
import { CollabSignatureGuard } from "./collab-signature.guard.js";

@Controller("collab")
@UseGuards(CollabSignatureGuard)
export class CollabController {
  constructor(
    private readonly tokens: TokenService,
    private readonly rights: RightsService,
  ) {}

  /**
   * Called at every entry and reconnect, so a right that was withdrawn ends there.
   *
   * @throws 401 and 403 to refuse for good; any other error means "ask again later"
   */
  @Post("authorize")
  @HttpCode(200)
  async authorize(
    @Body({ schema: authorizationRequest }) { token, room }: AuthorizationRequest,
  ): Promise<Admission> {
    const claims = await this.tokens.verify(token);
    if (!claims) throw new UnauthorizedException("token is invalid or expired");

    const access = this.rights.accessOf({ userId: claims.sub, room });
    if (!access) throw new ForbiddenException("no right to this room");

    return {
      user: { id: claims.sub, name: claims.name ?? claims.sub, color: claims.color },
      access,
      expiresAt: claims.exp,
    };
  }
}
