/**
 * Who may do what in which room. In memory for the demo; a real application reads its own tables here.
 *
 * Let a failing database throw. Nest answers 500, which the collaboration server takes as "ask again later"; caught and
 * turned into "no right" it would become 403 and throw everybody out for good.
 */
import { Injectable } from "@nestjs/common";
import { z } from "zod";

export const access = z.enum(["read", "write"]);
export type Access = z.infer<typeof access>;

@Injectable()
export class RightsService {
  // Maps, not objects: a room may be called `__proto__`.
  readonly #rooms = new Map<string, Map<string, Access>>([
    [
      "task-list-1",
      new Map([
        ["ana", "write"],
        ["ben", "write"],
        ["cleo", "read"],
      ]),
    ],
    [
      "task-list-2",
      new Map([
        ["ana", "write"],
        ["ben", "read"],
      ]),
    ],
    [
      "task-list-3",
      new Map([
        ["ben", "write"],
        ["cleo", "write"],
      ]),
    ],
  ]);

  accessOf({ userId, room }: { userId: string; room: string }): Access | undefined {
    return this.#rooms.get(room)?.get(userId);
  }

  /** Room name → access of one user: the `rooms` claim of a token. */
  roomsOf(userId: string): Record<string, Access> {
    return Object.fromEntries(
      [...this.#rooms].flatMap(([room, users]) => {
        const granted = users.get(userId);
        return granted ? [[room, granted]] : [];
      }),
    );
  }

  /** User id → access in one room; empty for a room that nobody has a right to. */
  usersOf(room: string): Record<string, Access> {
    return Object.fromEntries(this.#rooms.get(room) ?? []);
  }

  grant({ userId, room, access: granted }: { userId: string; room: string; access: Access }): void {
    const users = this.#rooms.get(room) ?? new Map<string, Access>();
    this.#rooms.set(room, users.set(userId, granted));
  }

  revoke({ userId, room }: { userId: string; room: string }): void {
    const users = this.#rooms.get(room);
    users?.delete(userId);
    if (users?.size === 0) this.#rooms.delete(room);
  }
}
