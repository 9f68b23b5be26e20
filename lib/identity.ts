/** Who a connection belongs to: the Hocuspocus `context` of every hook after `onAuthenticate`. */

export type Access = "read" | "write";

export interface User {
  /** Stable id in the backend; journal rows carry it as their author. */
  readonly id: string;
  readonly name: string;
  /** CSS colour for cursor and avatar, if the backend gives one. */
  readonly color?: string;
}

export interface Identity {
  readonly user: User;
  readonly access: Access;
  /** When the right to be here ends, Unix seconds; absent when the backend sets no end. */
  readonly expiresAt?: number;
}
