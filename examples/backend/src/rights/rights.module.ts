import { Module } from "@nestjs/common";
import { CollabServerModule } from "../collab/collab-server.module.js";
import { RightsController } from "./rights.controller.js";
import { RightsService } from "./rights.service.js";

@Module({
  imports: [CollabServerModule],
  controllers: [RightsController],
  providers: [RightsService],
  exports: [RightsService],
})
export class RightsModule {}
