import { Body, Controller, Delete, Get, HttpCode, Param, Put, UseGuards } from "@nestjs/common";
import { z } from "zod";
import { CollabServer } from "../collab/collab-server.js";
import { AdminTokenGuard } from "./admin-token.guard.js";
import { type Access, access, RightsService } from "./rights.service.js";

const grantRequest = z.object({ access });

/** Changes rights while people are inside, and tells the collaboration server, which asks about them at once. */
@Controller("rooms/:room/rights")
@UseGuards(AdminTokenGuard)
export class RightsController {
  constructor(
    private readonly rights: RightsService,
    private readonly collab: CollabServer,
  ) {}

  @Get()
  list(@Param("room") room: string): { room: string; rights: Record<string, Access> } {
    return { room, rights: this.rights.usersOf(room) };
  }

  @Put(":userId")
  async grant(
    @Param("room") room: string,
    @Param("userId") userId: string,
    @Body({ schema: grantRequest }) body: z.infer<typeof grantRequest>,
  ): Promise<{ room: string; userId: string; access: Access }> {
    const right = { room, userId, access: body.access };
    this.rights.grant(right);
    await this.collab.recheck(userId);
    return right;
  }

  @Delete(":userId")
  @HttpCode(204)
  async revoke(@Param("room") room: string, @Param("userId") userId: string): Promise<void> {
    this.rights.revoke({ room, userId });
    // Not `kick`: asked again, the webhook refuses, and whatever else changed for them meanwhile counts as well.
    await this.collab.recheck(userId);
  }
}
