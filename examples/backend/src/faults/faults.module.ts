/**
 * Makes the webhook fail on request, for the tests of the collaboration server. Loaded only with DEMO_FAULTS=1, which
 * production refuses. Not part of what an application copies.
 */
import { type MiddlewareConsumer, Module, type NestModule, RequestMethod } from "@nestjs/common";
import { FaultState } from "./fault.js";
import { FaultsController } from "./faults.controller.js";
import { FaultsMiddleware } from "./faults.middleware.js";

@Module({ controllers: [FaultsController], providers: [FaultState] })
export class FaultsModule implements NestModule {
  configure(consumer: MiddlewareConsumer): void {
    consumer.apply(FaultsMiddleware).forRoutes({ path: "collab/authorize", method: RequestMethod.POST });
  }
}
