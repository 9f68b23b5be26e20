import { Body, Controller, Delete, Get, HttpCode, Put } from "@nestjs/common";
import { type Fault, fault, FaultState } from "./fault.js";

@Controller("faults")
export class FaultsController {
  constructor(private readonly state: FaultState) {}

  @Put()
  set(@Body({ schema: fault }) next: Fault): Fault {
    this.state.fault = next;
    return next;
  }

  @Get("calls")
  calls(): { calls: number; maxInFlight: number } {
    return { calls: this.state.calls, maxInFlight: this.state.maxInFlight };
  }

  @Delete("calls")
  @HttpCode(204)
  resetCalls(): void {
    this.state.resetCalls();
  }
}
