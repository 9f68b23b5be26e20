import { Controller, HttpCode, Param, Post, UseGuards } from "@nestjs/common";
import { CollabServer } from "../collab/collab-server.js";
import { AdminTokenGuard } from "../rights/admin-token.guard.js";
import { SignOuts } from "./sign-outs.js";

@Controller("people")
@UseGuards(AdminTokenGuard)
export class PeopleController {
  constructor(
    private readonly signOuts: SignOuts,
    private readonly collab: CollabServer,
  ) {}

  /** "Sign out everywhere": a lost laptop, somebody who has left the company. A new login works. */
  @Post(":userId/sign-out")
  @HttpCode(204)
  async signOut(@Param("userId") userId: string): Promise<void> {
    // In this order: the collaboration server asks the webhook about whoever is just coming in.
    this.signOuts.signOut(userId);
    await this.collab.revoke(userId);
  }
}
