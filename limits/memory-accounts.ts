/**
 * Who makes the rooms in memory as large as they are: each room's bytes are its opener's, whose coming loaded it, and those of the users who
 * have written in it since. Given back when the room unloads, whoever is there by then.
 */
export interface Account {
  /** Of rooms that this user's coming has loaded, bytes. */
  opened: number;
  /** Of what this user has written into open rooms, bytes. */
  wrote: number;
}

interface OpenRoom {
  readonly opener: string;
  opened: number;
  readonly wrote: Map<string, number>;
  bytes: number;
}

const NOTHING: Readonly<Account> = { opened: 0, wrote: 0 };

export class MemoryAccounts {
  readonly #rooms = new Map<string, OpenRoom>();
  readonly #users = new Map<string, Account>();
  #bytes = 0;

  /** Of all rooms. */
  get bytes(): number {
    return this.#bytes;
  }

  get rooms(): number {
    return this.#rooms.size;
  }

  /** Users with something on their account. */
  get users(): number {
    return this.#users.size;
  }

  of(user: string): Readonly<Account> {
    return this.#users.get(user) ?? NOTHING;
  }

  open(room: string, { user, bytes }: { readonly user: string; readonly bytes: number }): void {
    this.#rooms.set(room, { opener: user, opened: bytes, wrote: new Map(), bytes });
    this.#bytes += bytes;
    this.#add(user, { opened: bytes, wrote: 0 });
  }

  /** What the room is now. Where that is more it is its writer's, or without one its opener's; less is less for all in proportion. */
  measure(room: string, { bytes, writer }: { readonly bytes: number; readonly writer?: string }): void {
    const open = this.#rooms.get(room);
    if (!open) return;
    const more = bytes - open.bytes;
    if (more < 0) this.#scale(open, bytes / open.bytes);
    else if (writer === undefined) {
      open.opened += more;
      this.#add(open.opener, { opened: more, wrote: 0 });
    } else {
      open.wrote.set(writer, (open.wrote.get(writer) ?? 0) + more);
      this.#add(writer, { opened: 0, wrote: more });
    }
    open.bytes = bytes;
    this.#bytes += more;
  }

  close(room: string): void {
    const open = this.#rooms.get(room);
    if (!open) return;
    this.#scale(open, 0);
    this.#bytes -= open.bytes;
    this.#rooms.delete(room);
  }

  #scale(open: OpenRoom, factor: number): void {
    this.#add(open.opener, { opened: open.opened * (factor - 1), wrote: 0 });
    open.opened *= factor;
    for (const [user, wrote] of open.wrote) {
      this.#add(user, { opened: 0, wrote: wrote * (factor - 1) });
      open.wrote.set(user, wrote * factor);
    }
  }

  #add(user: string, { opened, wrote }: Readonly<Account>): void {
    const account = this.#users.get(user) ?? { opened: 0, wrote: 0 };
    account.opened += opened;
    account.wrote += wrote;
    // Less than a byte is what rounding has left.
    if (account.opened + account.wrote < 1) this.#users.delete(user);
    else this.#users.set(user, account);
  }
}
