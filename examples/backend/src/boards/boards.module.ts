import { Module } from "@nestjs/common";
import { AuthModule } from "../auth/auth.module.js";
import { CollabServerModule } from "../collab/collab-server.module.js";
import { RightsModule } from "../rights/rights.module.js";
import { BoardsController } from "./boards.controller.js";

@Module({ imports: [AuthModule, RightsModule, CollabServerModule], controllers: [BoardsController] })
export class BoardsModule {}
