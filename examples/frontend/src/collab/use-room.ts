import { useEffect, useMemo, useSyncExternalStore } from "react";
import { Room, type RoomOptions, type RoomState } from "./room.ts";

export interface OpenRoom extends RoomState {
  readonly room: Room;
  /** Asks the server again after a refusal. What was edited stays, but for a room that was taken from the person. */
  readonly retry: () => void;
  /** The same without what is unsaved, where that is what the server refuses. */
  readonly discard: () => void;
}

/** Opens a room for as long as the component is there. Null in the first moment, and while a server renders. */
export function useRoom({ url, room, userId, token }: RoomOptions): OpenRoom | null {
  const opening = useMemo(() => new Opening({ url, room, userId }), [url, room, userId]);
  // Not among the options: a function that is another one at each render would open the room anew each time, which renders.
  useEffect(() => opening.askWith(token), [opening, token]);
  return useSyncExternalStore(opening.subscribe, opening.snapshot, () => null);
}

/** Open while somebody listens, which React does while the component is mounted. */
class Opening {
  readonly #options: Omit<RoomOptions, "token">;
  #token: RoomOptions["token"] = () => Promise.reject(new Error("Not shown yet"));
  #onChange: () => void = () => {};
  #unsubscribe: () => void = () => {};
  #open: OpenRoom | null = null;

  constructor(options: Omit<RoomOptions, "token">) {
    this.#options = options;
  }

  askWith(token: RoomOptions["token"]): void {
    this.#token = token;
  }

  readonly subscribe = (onChange: () => void): (() => void) => {
    this.#onChange = onChange;
    this.#start();
    return () => this.#stop();
  };

  readonly snapshot = (): OpenRoom | null => this.#open;

  readonly #retry = (): void => {
    const status = this.#open?.status;
    // A fresh document would lose what could not be written to this device.
    if (status?.kind === "out" && !status.refusal.forgetCopy) this.#open?.room.retry();
    else this.#restart();
  };

  readonly #discard = (): void => {
    const room = this.#open?.room;
    // The opening that follows waits until it is deleted.
    void room?.forget().then(() => this.#open?.room === room && this.#restart());
  };

  #start(): void {
    const room = new Room({ ...this.#options, token: () => this.#token() });
    const show = (): void => {
      this.#open = { room, retry: this.#retry, discard: this.#discard, ...room.state() };
      this.#onChange();
    };
    this.#unsubscribe = room.subscribe(show);
    show();
  }

  #restart(): void {
    this.#stop();
    this.#start();
  }

  #stop(): void {
    this.#unsubscribe();
    this.#open?.room.close();
    this.#open = null;
  }
}
