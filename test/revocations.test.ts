/** What is remembered of the backend's orders, for how long, and of how many. */
import { expect, onTestFinished, test, vi } from "vitest";
import { MAX_REMEMBERED, Revocations, type Order } from "../auth/revocations.ts";
import { RevokedTokens } from "../auth/revoked-tokens.ts";
import { closeReasons } from "../lib/close-reasons.ts";

const room = "task-list-1";

test("[A15] of several orders the newest that puts somebody out is the reason, and one to ask again undoes none", () => {
  const since = (...orders: readonly Order[]): unknown => {
    const revocations = new Revocations();
    revocations.record({ kind: "kick", room, user: "eve" });
    const before = revocations.now();
    for (const order of orders) revocations.record(order);
    return revocations.since(before, { user: "eve", room });
  };
  const [revoke, kick, recheck] = [
    { kind: "revoke", user: "eve" },
    { kind: "kick", room },
    { kind: "recheck", user: "eve" },
  ] as const;
  const { accessRevoked, kicked } = closeReasons;
  expect([since(), since(recheck), since({ ...kick, room: "another" })]).toEqual([null, "ask-again", null]);
  expect([since(revoke, recheck), since(kick, recheck)]).toEqual([accessRevoked, kicked]);
  expect([since(revoke, kick), since(kick, revoke)]).toEqual([kicked, accessRevoked]);
});

test("[A16] a second counts as a whole, and an earlier time takes back neither what is void nor what may be", () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  onTestFinished(() => void vi.useRealTimers());
  const now = Math.floor(Date.now() / 1000);
  const tokens = new RevokedTokens();
  tokens.revoke("eve", now - 100);
  tokens.revoke("eve");
  tokens.revoke("eve", now - 200);
  const verdict = (issuedAt: number): string => tokens.judge("eve", issuedAt);
  expect([-100, -5, -4.1, -3.9, 5.9, 6].map((seconds) => verdict(now + seconds))).toEqual([
    "void",
    "void",
    "void",
    "unsure",
    "unsure",
    "good",
  ]);
});

test("[A16] a revocation is remembered for 24 hours from its last order", () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  onTestFinished(() => void vi.useRealTimers());
  const revocations = new Revocations();
  const hoursLater = (hours: number): void => void vi.setSystemTime(Date.now() + hours * 3_600_000);
  const verdict = (): string => revocations.tokens.judge("eve", 1);
  const revoke = (): void => revocations.record({ kind: "revoke", user: "eve" });
  revoke();
  hoursLater(23);
  revoke();
  hoursLater(23);
  expect(verdict()).toBe("void");
  hoursLater(2);
  expect(verdict()).toBe("good");
});

test("[A16] of too many users the one is forgotten whose last order is the oldest", () => {
  const revocations = new Revocations();
  const before = revocations.now();
  const revokeUser = (user: number): void => revocations.record({ kind: "revoke", user: `user-${user}` });
  for (let user = 0; user < MAX_REMEMBERED; user++) revokeUser(user);
  revokeUser(0);
  revokeUser(MAX_REMEMBERED);
  const verdicts = [0, 1, 2].map((user) => revocations.tokens.judge(`user-${user}`, 1));
  expect(verdicts).toEqual(["void", "good", "void"]);
  expect(revocations.since(before, { user: "user-0", room })).toBe(closeReasons.accessRevoked);
});

test("[A16] what is remembered of revocations is bounded; whoever is older than what was forgotten is asked about again", () => {
  const revocations = new Revocations();
  const before = revocations.now();
  const who = { user: "user-0", room };
  const verdict = (user: string): string => revocations.tokens.judge(user, 1);
  revocations.record({ kind: "revoke", user: "user-0" });
  expect([verdict("user-0"), revocations.since(before, who)]).toEqual(["void", closeReasons.accessRevoked]);
  for (let i = 1; i <= MAX_REMEMBERED; i++) revocations.record({ kind: "revoke", user: `user-${i}` });
  expect([verdict("user-0"), revocations.since(before, who)]).toEqual(["good", "ask-again"]);
  expect([verdict("user-1"), revocations.since(revocations.now(), who)]).toEqual(["void", null]);
});
