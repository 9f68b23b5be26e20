import { type DynamicModule, Global, Module } from "@nestjs/common";
import { StandardSchemaValidationPipe } from "@nestjs/common";
import { APP_PIPE } from "@nestjs/core";
import { AuthModule } from "./auth/auth.module.js";
import { BoardsModule } from "./boards/boards.module.js";
import { CollabModule } from "./collab/collab.module.js";
import { CONFIG, type Config } from "./config.js";
import { HealthController } from "./health.controller.js";
import { RightsModule } from "./rights/rights.module.js";

@Global()
@Module({})
export class AppModule {
  static async register(config: Config): Promise<DynamicModule> {
    return {
      module: AppModule,
      imports: [
        AuthModule,
        RightsModule,
        BoardsModule,
        CollabModule,
        ...(config.demoFaults ? [await loadFaults()] : []),
      ],
      controllers: [HealthController],
      providers: [
        { provide: CONFIG, useValue: config },
        // Checks what `@Body({ schema })` names; a body that does not fit is answered with 400.
        { provide: APP_PIPE, useClass: StandardSchemaValidationPipe },
      ],
      exports: [CONFIG],
    };
  }
}

/** Imported on demand: without DEMO_FAULTS=1 the code that breaks the webhook is not even in memory. */
async function loadFaults() {
  const { FaultsModule } = await import("./faults/faults.module.js");
  return FaultsModule;
}
