import { expect, test } from "vitest";
import { RollCall } from "../../fanout/roll-call.ts";

test("[I9] whoever does not say who is in a room is asked by name until that is known, more and more rarely", () => {
  const rollCall = new RollCall();
  const asked = (from: number, to: number): number[] =>
    Array.from({ length: (to - from) / 250 }, (_, tick) => from + tick * 250).filter(
      (now) => rollCall.silent(now).length > 0,
    );
  rollCall.begin(["a", "b"], 1000);
  expect(asked(1000, 1500)).toEqual([]);
  expect(rollCall.silent(1500)).toEqual(["a", "b"]);
  rollCall.answered("a");
  expect(asked(1500, 9000)).toEqual([2500, 4500, 8500]);
  expect(rollCall.silent(16_500)).toEqual(["b"]);
  rollCall.begin(["b"], 20_000);
  expect(rollCall.silent(20_500)).toEqual(["b"]);
  rollCall.answered("b");
  expect(asked(20_500, 30_000)).toEqual([]);
});
