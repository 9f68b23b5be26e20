/** Stands before the webhook, counts its calls and breaks them as asked. It knows nothing of the controller behind it. */
import { Injectable, type NestMiddleware } from "@nestjs/common";
import type { NextFunction, Request, Response } from "express";
import { FaultState } from "./fault.js";

@Injectable()
export class FaultsMiddleware implements NestMiddleware {
  constructor(private readonly state: FaultState) {}

  use(_request: Request, response: Response, next: NextFunction): void {
    this.state.callBegins();
    // Comes once for every call, also for one that the caller gave up.
    response.once("close", () => this.state.callEnds());

    const { fault } = this.state;
    switch (fault.mode) {
      case "none":
        next();
        break;
      case "error500":
        response.status(500).json({ statusCode: 500, message: "fault asked for by PUT /faults" });
        break;
      case "garbage":
        // Calls itself JSON, as the worst backend would.
        response.status(200).type("application/json").end(fault.body);
        break;
      case "hang":
        break;
      case "slow": {
        const timer = setTimeout(() => next(), fault.slowMs);
        response.once("close", () => clearTimeout(timer));
        break;
      }
    }
  }
}
