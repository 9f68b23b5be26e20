/** The fault that the webhook is to show, and what was counted of its calls. */
import { Injectable } from "@nestjs/common";
import { z } from "zod";

export const fault = z.discriminatedUnion("mode", [
  z.object({ mode: z.literal("none") }),
  z.object({ mode: z.literal("error500") }),
  /** 200 with this body as it is: the default is no JSON, `{"access":"all"}` would be JSON of the wrong shape. */
  z.object({ mode: z.literal("garbage"), body: z.string().default("<html>not JSON</html>") }),
  /** Never answers; the call is in flight until the caller gives up. */
  z.object({ mode: z.literal("hang") }),
  /** Answers as usual, but late. */
  z.object({ mode: z.literal("slow"), slowMs: z.int().min(0).max(600_000).default(500) }),
]);

export type Fault = z.infer<typeof fault>;

@Injectable()
export class FaultState {
  fault: Fault = { mode: "none" };
  calls = 0;
  inFlight = 0;
  maxInFlight = 0;

  callBegins(): void {
    this.calls += 1;
    this.inFlight += 1;
    this.maxInFlight = Math.max(this.maxInFlight, this.inFlight);
  }

  callEnds(): void {
    this.inFlight -= 1;
  }

  resetCalls(): void {
    this.calls = 0;
    // Not 0: calls that still run go on being in flight.
    this.maxInFlight = this.inFlight;
  }
}
