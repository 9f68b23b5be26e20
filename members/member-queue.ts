/**
 * The messages of each member in their order, where a hook may keep one waiting. Hocuspocus has a queue of its own for the message types
 * that it handles; the two wait for each other.
 */
import type { Member } from "./member.ts";

/**
 * What may wait for hooks of one member: a burst that a slow hook works off in seconds. A hook that waits for something (a rate limiter, a
 * query) would otherwise fill the memory with what one client sends.
 */
const MAX_WAITING = 1000;
const MAX_WAITING_BYTES = 16 * 1024 * 1024;

interface Queue {
  tail: Promise<void>;
  /** Resolves when Hocuspocus' own queue is empty. */
  readonly theirs: () => Promise<void>;
  messages: number;
  bytes: number;
}

export class MemberQueue {
  readonly #queues = new WeakMap<Member, Queue>();

  /** Whether anything waits of this member. */
  isWaiting(member: Member): boolean {
    return (this.#queues.get(member)?.messages ?? 0) > 0;
  }

  /**
   * @param handle never rejects.
   * @throws Error when more waits than may.
   */
  add(member: Member, bytes: number, handle: () => Promise<void> | void): void {
    const queue = this.#queues.get(member) ?? this.#begin(member);
    if (queue.messages >= MAX_WAITING || queue.bytes > MAX_WAITING_BYTES)
      throw new Error(`${queue.messages} messages of ${queue.bytes} bytes wait for hooks`);
    queue.messages++;
    queue.bytes += bytes;
    queue.tail = queue.tail
      .then(queue.theirs)
      .then(handle)
      .finally(() => {
        queue.messages--;
        queue.bytes -= bytes;
      });
  }

  #begin(member: Member): Queue {
    const theirs = member.waitForPendingMessages.bind(member);
    const queue: Queue = { tail: Promise.resolve(), theirs, messages: 0, bytes: 0 };
    this.#queues.set(member, queue);
    // Hocuspocus asks for it before it says goodbye (`onDisconnect`): the last edits come first.
    member.waitForPendingMessages = async () => {
      await queue.tail;
      await theirs();
    };
    return queue;
  }
}
