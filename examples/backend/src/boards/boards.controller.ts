/** What the app's side bar shows, and where the owner of a board says who may enter it. */
import {
  Body,
  Controller,
  Delete,
  ForbiddenException,
  Get,
  HttpCode,
  NotFoundException,
} from "@nestjs/common";
import { Param, Put, UseGuards } from "@nestjs/common";
import { z } from "zod";
import { CurrentUser, UserGuard } from "../auth/user.guard.js";
import { allPeople, findPerson, type Person } from "../auth/people.js";
import { CollabServer } from "../collab/collab-server.js";
import { type Access, access, RightsService } from "../rights/rights.service.js";
import { allBoards, type Board, findBoard } from "./boards.js";

const memberRequest = z.object({ access });

interface ListedBoard {
  id: string;
  name: string;
  /** Of the one who asks. Null: a board of the team that is closed to them, shown with a lock. */
  access: Access | null;
  isOwner: boolean;
}

@Controller("boards")
@UseGuards(UserGuard)
export class BoardsController {
  constructor(
    private readonly rights: RightsService,
    private readonly collab: CollabServer,
  ) {}

  @Get()
  list(@CurrentUser() user: Person): ListedBoard[] {
    return allBoards().map(({ id, name, owner }) => ({
      id,
      name,
      access: this.rights.accessOf({ userId: user.id, room: id }) ?? null,
      isOwner: owner === user.id,
    }));
  }

  /** Everybody of the team, and what they may do here; for whoever is a member. */
  @Get(":board/members")
  members(
    @CurrentUser() user: Person,
    @Param("board") id: string,
  ): { user: Person; access: Access | null; isOwner: boolean }[] {
    const board = boardOr404(id);
    const rights = this.rights.usersOf(id);
    if (!rights[user.id]) throw new ForbiddenException("no right to this board");
    return allPeople().map((person) => ({
      user: person,
      access: rights[person.id] ?? null,
      isOwner: board.owner === person.id,
    }));
  }

  @Put(":board/members/:userId")
  @HttpCode(204)
  async admit(
    @CurrentUser() user: Person,
    @Param("board") id: string,
    @Param("userId") userId: string,
    @Body({ schema: memberRequest }) body: z.infer<typeof memberRequest>,
  ): Promise<void> {
    const room = boardToManage(id, { by: user, userId });
    this.rights.grant({ room, userId, access: body.access });
    // The order after the change: the collaboration server asks the webhook again, and their page hears of it within a second.
    await this.collab.recheck(userId);
  }

  /** Takes effect in the member's open tabs, not at their next visit. */
  @Delete(":board/members/:userId")
  @HttpCode(204)
  async remove(
    @CurrentUser() user: Person,
    @Param("board") id: string,
    @Param("userId") userId: string,
  ): Promise<void> {
    const room = boardToManage(id, { by: user, userId });
    this.rights.revoke({ room, userId });
    await this.collab.recheck(userId);
  }
}

function boardOr404(id: string): Board {
  const board = findBoard(id);
  if (!board) throw new NotFoundException("no such board");
  return board;
}

/** The room whose rights may be changed. Nobody shuts out the owner, or nobody could open the board again. */
function boardToManage(id: string, { by, userId }: { by: Person; userId: string }): string {
  const board = boardOr404(id);
  if (board.owner !== by.id) throw new ForbiddenException("only the owner changes who may enter");
  if (!findPerson(userId)) throw new NotFoundException("no such person");
  if (userId === board.owner) throw new ForbiddenException("the owner stays");
  return board.id;
}
