/** Who is asked about when, and who goes where nobody answers: the re-check by itself, with a clock that stands still until it is set. */
import { setImmediate as turn } from "node:timers/promises";
import { expect, onTestFinished, test, vi } from "vitest";
import type { Attempt } from "../auth/admission.ts";
import { Outage } from "../auth/outage.ts";
import { Recheck } from "../auth/recheck.ts";
import { Rights } from "../auth/rights.ts";
import { closeReasons } from "../lib/close-reasons.ts";
import type { Identity } from "../lib/identity.ts";
import { Refusal } from "../lib/refusal.ts";
import type { Member } from "../members/member.ts";
import { captureLog } from "./support/captured-log.ts";

const HOUR_MS = 3_600_000;
const GRACE_MS = HOUR_MS / 4;
/** Who was not answered about is asked about again within. */
const RETRY_MS = 30_000;

type Answer = "yes" | "none";

class Scene {
  /** Users, one a question. */
  readonly asked: string[] = [];
  /** What the backend says about whom. */
  answer: (user: string) => Answer | Promise<Answer> = () => "yes";
  readonly #recheck: Recheck;
  readonly #admit: (attempt: Attempt) => Promise<Identity>;
  readonly #rights: Rights;
  readonly #log = captureLog();

  constructor() {
    onTestFinished(() => void vi.useRealTimers());
    vi.useFakeTimers({ toFake: ["performance"] });
    const { log } = this.#log;
    const outage = new Outage({ log });
    this.#rights = new Rights({ log, onMayWrite: () => {} });
    this.#admit = outage.watch(async ({ token: user }) => {
      this.asked.push(user);
      if ((await this.answer(user)) === "none") throw new Refusal(closeReasons.authUnavailable);
      return identityOf(user);
    });
    const parts = { rights: this.#rights, admit: this.#admit, outage, log };
    this.#recheck = new Recheck({ ...parts, intervalMs: HOUR_MS, graceMs: GRACE_MS });
  }

  /** So many come in. */
  enter(count: number): readonly Member[] {
    return Array.from({ length: count }, (_, index) => {
      const user = `user-${index}`;
      const tab = tabOf(user);
      this.#rights.enter(tab, { attempt: attemptOf(user), identity: identityOf(user), confirmedAt: 0 });
      return tab;
    });
  }

  /** Somebody wants to come in. */
  async stranger(): Promise<void> {
    await this.#admit(attemptOf("stranger")).catch(() => {});
  }

  /** A sweep, so much later. Returns how many were asked about. */
  async after(ms: number): Promise<number> {
    vi.advanceTimersByTime(ms);
    const before = this.asked.length;
    this.#recheck.sweep();
    await turn();
    return this.asked.length - before;
  }

  get out(): number {
    return this.#log.events("put-out").length;
  }
}

function identityOf(user: string): Identity {
  return { user: { id: user, name: user }, access: "write" };
}

function attemptOf(user: string): Attempt {
  return { token: user, room: "room", ip: "192.0.2.1", origin: null, userAgent: null, socketId: user };
}

/** As much of a connection as a right needs. */
function tabOf(user: string): Member {
  const onClose: (() => void)[] = [];
  return {
    readOnly: false,
    document: { name: "room" },
    context: identityOf(user),
    onClose: (callback: () => void) => void onClose.push(callback),
    close: () => onClose.splice(0).forEach((callback) => callback()),
  } as unknown as Member;
}

function gate<T>(): { readonly opened: Promise<T>; readonly open: (value: T) => void } {
  const { promise: opened, resolve: open } = Promise.withResolvers<T>();
  return { opened, open };
}

test("[A13] questions are spread over the interval, the first ones and those after an answer", async () => {
  const scene = new Scene();
  scene.enter(400);
  expect(await scene.after(0)).toBeLessThan(10);
  const inFirstHalf = await scene.after(HOUR_MS / 2);
  expect(Math.abs(inFirstHalf - 200)).toBeLessThan(80);
  await scene.after(HOUR_MS / 2);
  expect(new Set(scene.asked).size).toBe(400);
});

test("[A13] those who were asked about in one moment are not in step afterwards", async () => {
  const scene = new Scene();
  scene.enter(400);
  await scene.after(0);
  await scene.after(HOUR_MS);
  expect(await scene.after(HOUR_MS * 0.85)).toBeLessThan(10);
  const soon = await scene.after(HOUR_MS * 0.1);
  expect(Math.abs(soon - 200)).toBeLessThan(80);
});

test("[A13] a question that is not answered yet is not asked again, and none is asked about who has left before its turn", async () => {
  const scene = new Scene();
  const { opened, open } = gate<Answer>();
  scene.answer = () => opened;
  const tabs = scene.enter(17);
  await scene.after(0);
  expect(await scene.after(HOUR_MS)).toBe(16);
  expect(await scene.after(HOUR_MS)).toBe(0);
  tabs.find(({ context }) => !scene.asked.includes(context.user.id))?.close();
  open("yes");
  await turn();
  expect(scene.asked).toHaveLength(16);
});

test("[A12] who was not answered about is asked about again within half a minute, and not all at once", async () => {
  const scene = new Scene();
  scene.answer = () => "none";
  scene.enter(400);
  await scene.after(0);
  await scene.after(HOUR_MS);
  expect(await scene.after(RETRY_MS / 2 - 1)).toBe(0);
  const soon = await scene.after(RETRY_MS / 4);
  expect(Math.abs(soon - 200)).toBeLessThan(80);
});

test("[A12] the grace counts from the first question of those in vain since the last answer", async () => {
  const scene = new Scene();
  scene.enter(1);
  await scene.after(0);
  for (const [ms, answer] of [
    [HOUR_MS, "none"],
    [RETRY_MS, "yes"],
    [HOUR_MS, "none"],
    [RETRY_MS, "none"],
  ] as const) {
    scene.answer = () => answer;
    expect(await scene.after(ms)).toBe(1);
  }
  expect(scene.out).toBe(0);
  await scene.after(GRACE_MS - RETRY_MS);
  expect(scene.out).toBe(1);
});

test("[A12] no answer about 16 users is enough to put out those nobody was asked about, 500 with each sweep", async () => {
  const scene = new Scene();
  const never = gate<Answer>();
  scene.answer = () => (new Set(scene.asked).size <= 16 ? "none" : never.opened);
  scene.enter(1200);
  await scene.after(0);
  await scene.after(HOUR_MS);
  await scene.after(RETRY_MS);
  expect(scene.out).toBe(0);
  for (const out of [500, 1000, 1200]) {
    await scene.after(out === 500 ? GRACE_MS - RETRY_MS : 0);
    expect(scene.out).toBe(out);
  }
});

test("[A12] an outage counts from its first question, whatever is asked in vain after it", async () => {
  const scene = new Scene();
  const never = gate<Answer>();
  const unasked = new Set(["user-16", "user-17"]);
  scene.answer = (user) => (unasked.has(user) ? never.opened : "none");
  scene.enter(18);
  await scene.after(0);
  await scene.after(HOUR_MS);
  expect(await scene.after(RETRY_MS)).toBe(16);
  await scene.after(GRACE_MS - RETRY_MS);
  expect(scene.out).toBe(18);
});

test("[A12] no answer about fewer puts out nobody else, as long as there are others", async () => {
  const scene = new Scene();
  const never = gate<Answer>();
  scene.answer = (user) => (user === "user-0" ? "none" : never.opened);
  const tabs = scene.enter(3);
  await scene.after(0);
  await scene.after(HOUR_MS);
  await scene.after(GRACE_MS);
  expect(scene.out).toBe(1);
  for (const tab of tabs.slice(2)) tab.close();
});

/** Sixteen inside were asked about in vain, and a stranger met the backend again. */
async function outageThatIsOver(): Promise<Scene> {
  const scene = new Scene();
  scene.answer = () => "none";
  scene.enter(16);
  await scene.after(0);
  await scene.after(HOUR_MS);
  scene.answer = () => "yes";
  await scene.stranger();
  return scene;
}

test("[A12] who was not answered about in an outage that is over does not count in the next one", async () => {
  const scene = await outageThatIsOver();
  const never = gate<Answer>();
  // A stranger meets the next one, and nobody inside is asked about.
  vi.advanceTimersByTime(1);
  scene.answer = (user) => (user === "stranger" ? "none" : never.opened);
  await scene.stranger();
  await scene.after(GRACE_MS);
  expect(scene.out).toBe(0);
});

test("[A12] nor do they together with one who is not answered about in the next one", async () => {
  const scene = await outageThatIsOver();
  const never = gate<Answer>();
  scene.answer = (user) => (user === "user-0" ? "none" : never.opened);
  await scene.after(RETRY_MS);
  await scene.after(GRACE_MS);
  // By itself, after its own grace.
  expect(scene.out).toBe(1);
});
