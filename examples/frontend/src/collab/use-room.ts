import { useMemo, useSyncExternalStore } from "react";
import { Room, type RoomOptions, type RoomState } from "./room.ts";

export interface OpenRoom extends RoomState {
  readonly room: Room;
  /** Asks the server again after a refusal, with a fresh document. */
  readonly retry: () => void;
  /** The same without what is unsaved, where that is what the server refuses. */
  readonly discard: () => void;
}

/** Opens a room for as long as the component is there. Null in the first moment. `token` has to be the same function at each render. */
export function useRoom({ url, room, userId, token }: RoomOptions): OpenRoom | null {
  const opening = useMemo(() => new Opening({ url, room, userId, token }), [url, room, userId, token]);
  return useSyncExternalStore(opening.subscribe, opening.snapshot);
}

/** Open while somebody listens, which React does while the component is mounted. */
class Opening {
  readonly #options: RoomOptions;
  #onChange: () => void = () => {};
  #unsubscribe: () => void = () => {};
  #open: OpenRoom | null = null;

  constructor(options: RoomOptions) {
    this.#options = options;
  }

  readonly subscribe = (onChange: () => void): (() => void) => {
    this.#onChange = onChange;
    this.#start();
    return () => this.#stop();
  };

  readonly snapshot = (): OpenRoom | null => this.#open;

  readonly #retry = (): void => {
    this.#stop();
    this.#start();
  };

  readonly #discard = (): void => {
    const room = this.#open?.room;
    // The opening that follows waits until it is deleted.
    void room?.forget().then(() => this.#open?.room === room && this.#retry());
  };

  #start(): void {
    const room = new Room(this.#options);
    const show = (): void => {
      this.#open = { room, retry: this.#retry, discard: this.#discard, ...room.state() };
      this.#onChange();
    };
    this.#unsubscribe = room.subscribe(show);
    show();
  }

  #stop(): void {
    this.#unsubscribe();
    this.#open?.room.close();
    this.#open = null;
  }
}
