import { Module } from "@nestjs/common";
import { RightsController } from "./rights.controller.js";
import { RightsService } from "./rights.service.js";

@Module({ controllers: [RightsController], providers: [RightsService], exports: [RightsService] })
export class RightsModule {}
