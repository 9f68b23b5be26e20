/**
 * A network between a client and a server that can fail: refuse, cut, hold back or delay one way. Nothing is lost on the way of a
 * connection that goes on, as in TCP: what a partition holds back is there when it ends, also when its sender has given up on it.
 */
import { once } from "node:events";
import { createConnection, createServer, type AddressInfo, type Server, type Socket } from "node:net";

export type Direction = "toServer" | "toClient";
const DIRECTIONS: readonly Direction[] = ["toServer", "toClient"];

export class TcpProxy {
  /** The server's port; another one after a restart, for connections from then on. */
  target: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #flows = new Set<Flow>();
  readonly #held = new Set<Direction>();
  readonly #delayMs = { toServer: 0, toClient: 0 };
  #isCut = false;

  private constructor(target: number) {
    this.target = target;
    // Each side ends when it has said everything, not when the other one has.
    this.#server = createServer({ allowHalfOpen: true }, (client) => this.#connect(client));
  }

  /** In front of a server on this machine. */
  static async to(port: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(port);
    await once(proxy.#server.listen(0, "127.0.0.1"), "listening");
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Connections are reset, and new ones at once. */
  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** A black hole: connections stay open and new ones open, and nothing comes through. */
  hold(...directions: readonly Direction[]): void {
    for (const direction of directions) this.#held.add(direction);
    for (const flow of this.#flows) flow.isHeld = this.#held.has(flow.direction);
  }

  delay(direction: Direction, ms: number): void {
    this.#delayMs[direction] = ms;
  }

  /** All is well again; what was held back arrives. */
  heal(): void {
    this.#isCut = false;
    this.#held.clear();
    for (const direction of DIRECTIONS) this.#delayMs[direction] = 0;
    for (const flow of this.#flows) flow.isHeld = false;
  }

  async close(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, "close");
  }

  #connect(client: Socket): void {
    if (this.#isCut) {
      client.on("error", () => {});
      client.resetAndDestroy();
      return;
    }
    const server = createConnection({ port: this.target, host: "127.0.0.1", allowHalfOpen: true });
    this.#flow("toServer", client, server);
    this.#flow("toClient", server, client);
  }

  #flow(direction: Direction, from: Socket, to: Socket): void {
    const flow = new Flow({ direction, from, to, delayMs: () => this.#delayMs[direction] });
    flow.isHeld = this.#held.has(direction);
    this.#flows.add(flow);
    this.#sockets.add(from);
    from.once("close", () => {
      this.#flows.delete(flow);
      this.#sockets.delete(from);
    });
  }
}

interface FlowOptions {
  readonly direction: Direction;
  readonly from: Socket;
  readonly to: Socket;
  readonly delayMs: () => number;
}

/** One way of a connection. */
class Flow {
  readonly direction: Direction;
  readonly #from: Socket;
  /** What is on its way arrives in order, whatever the delay meanwhile. */
  #arrived: Promise<void> = Promise.resolve();

  constructor({ direction, from, to, delayMs }: FlowOptions) {
    this.direction = direction;
    this.#from = from;
    const deliver = (act: () => void): void => {
      const ms = delayMs();
      const due = ms > 0 ? new Promise((resolve) => setTimeout(resolve, ms)) : null;
      this.#arrived = this.#arrived.then(() => due).then(act);
    };
    from.setNoDelay(true);
    from.on("data", (bytes: Buffer) => deliver(() => void to.write(bytes)));
    from.on("end", () => deliver(() => to.end()));
    // A reset goes at once, and takes with it what is still on its way.
    from.on("error", () => to.destroy());
  }

  /** Nothing is read any more: the sender sees a network that does not take it. */
  set isHeld(isHeld: boolean) {
    if (isHeld) this.#from.pause();
    else if (this.#from.isPaused()) this.#from.resume();
  }
}
