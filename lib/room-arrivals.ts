/**
 * Who has been let into a room and is not in it yet: a crowd that comes at once would otherwise find the same last seat. Hocuspocus takes an
 * arrival from login over loading to the connection, and forgets it without a word where the client is gone by then; so each step gives its
 * seat back at the end of its turn unless the next one has taken it on.
 */

export interface Arriving {
  readonly socketId: string;
  readonly user: string;
}

interface Arrival {
  readonly socketId: string;
  /** Empty where the room is fetched for nobody: a direct connection. */
  readonly user: string;
  stage: "admitted" | "loading";
}

export class RoomArrivals {
  readonly #byRoom = new Map<string, Set<Arrival>>();

  /** All, or of one user. */
  count(room: string, user?: string): number {
    const arrivals = this.#byRoom.get(room);
    if (!arrivals || user === undefined) return arrivals?.size ?? 0;
    return [...arrivals].filter((arrival) => arrival.user === user).length;
  }

  /** To be called where nothing is waited for any more until `loading`. */
  admitted(room: string, arriving: Arriving): void {
    const arrival = this.#begin(room, { ...arriving, stage: "admitted" });
    setImmediate(() => {
      if (arrival.stage === "admitted") this.#end(room, arrival);
    });
  }

  /** The room is fetched. To be called back when that is done: nothing is waited for any more until `attached`. */
  loading(room: string, socketId: string): () => void {
    const arrival =
      this.#find(room, { socketId, stage: "admitted" }) ??
      this.#begin(room, { socketId, user: "", stage: "admitted" });
    arrival.stage = "loading";
    return () => void setImmediate(() => this.#end(room, arrival));
  }

  /** It is one of the room's connections now. */
  attached(room: string, socketId: string): void {
    const arrival = this.#find(room, { socketId, stage: "loading" });
    if (arrival) this.#end(room, arrival);
  }

  #begin(room: string, arrival: Arrival): Arrival {
    const arrivals = this.#byRoom.get(room);
    if (arrivals) arrivals.add(arrival);
    else this.#byRoom.set(room, new Set([arrival]));
    return arrival;
  }

  #find(room: string, { socketId, stage }: Pick<Arrival, "socketId" | "stage">): Arrival | undefined {
    for (const arrival of this.#byRoom.get(room) ?? [])
      if (arrival.socketId === socketId && arrival.stage === stage) return arrival;
    return undefined;
  }

  #end(room: string, arrival: Arrival): void {
    const arrivals = this.#byRoom.get(room);
    arrivals?.delete(arrival);
    if (arrivals?.size === 0) this.#byRoom.delete(room);
  }
}
