import { Module } from "@nestjs/common";
import { AuthModule } from "../auth/auth.module.js";
import { RightsModule } from "../rights/rights.module.js";
import { CollabController } from "./collab.controller.js";

@Module({ imports: [AuthModule, RightsModule], controllers: [CollabController] })
export class CollabModule {}
