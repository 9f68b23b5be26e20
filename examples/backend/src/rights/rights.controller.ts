import { Body, Controller, Delete, Get, HttpCode, Param, Put, UseGuards } from "@nestjs/common";
import { z } from "zod";
import { AdminTokenGuard } from "./admin-token.guard.js";
import { type Access, access, RightsService } from "./rights.service.js";

const grantRequest = z.object({ access });

/** Changes rights while people are inside: the collaboration server notices at its next re-check. */
@Controller("rooms/:room/rights")
@UseGuards(AdminTokenGuard)
export class RightsController {
  constructor(private readonly rights: RightsService) {}

  @Get()
  list(@Param("room") room: string): { room: string; rights: Record<string, Access> } {
    return { room, rights: this.rights.usersOf(room) };
  }

  @Put(":userId")
  grant(
    @Param("room") room: string,
    @Param("userId") userId: string,
    @Body({ schema: grantRequest }) body: z.infer<typeof grantRequest>,
  ): { room: string; userId: string; access: Access } {
    const right = { room, userId, access: body.access };
    this.rights.grant(right);
    return right;
  }

  @Delete(":userId")
  @HttpCode(204)
  revoke(@Param("room") room: string, @Param("userId") userId: string): void {
    this.rights.revoke({ room, userId });
  }
}
