/**
 * A plain load balancer: TCP in turns to the instances that say they are ready. It knows nothing of HTTP beyond its health check and tries
 * nothing a second time, so what an instance refuses is refused.
 */
import { once } from "node:events";
import { createConnection, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { until } from "../../test/support/until.ts";

/** Checks that fail in a row until an instance is out, as in most configurations. */
const FALL = 2;

interface Instance {
  readonly port: number;
  readonly checks: NodeJS.Timeout;
  isReady: boolean;
  failures: number;
}

export class Balancer {
  readonly #server: Server;
  readonly #checkEveryMs: number;
  readonly #instances = new Map<number, Instance>();
  readonly #sockets = new Set<Socket>();
  #turn = 0;

  private constructor(checkEveryMs: number) {
    this.#checkEveryMs = checkEveryMs;
    this.#server = createServer((client) => this.#connect(client));
  }

  static async start({ checkEveryMs }: { readonly checkEveryMs: number }): Promise<Balancer> {
    const balancer = new Balancer(checkEveryMs);
    // A crowd that comes at once is for the servers to bear.
    balancer.#server.listen({ port: 0, host: "127.0.0.1", backlog: 4096 });
    await once(balancer.#server, "listening");
    return balancer;
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Resolves when the instance has been found ready. */
  async add(port: number): Promise<void> {
    const instance: Instance = {
      port,
      checks: setInterval(() => void this.#check(instance), this.#checkEveryMs),
      isReady: false,
      failures: 0,
    };
    this.#instances.set(port, instance);
    await until(`an instance that is ready on port ${port}`, () => instance.isReady, { timeoutMs: 60_000 });
  }

  remove(port: number): void {
    clearInterval(this.#instances.get(port)?.checks);
    this.#instances.delete(port);
  }

  close(): void {
    for (const port of this.#instances.keys()) this.remove(port);
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }

  async #check(instance: Instance): Promise<void> {
    try {
      const response = await fetch(`http://127.0.0.1:${instance.port}/readyz`, {
        signal: AbortSignal.timeout(this.#checkEveryMs),
      });
      await response.body?.cancel();
      instance.failures = response.ok ? 0 : instance.failures + 1;
    } catch {
      instance.failures++;
    }
    if (instance.failures === 0) instance.isReady = true;
    else if (instance.failures >= FALL) instance.isReady = false;
  }

  #connect(client: Socket): void {
    const ready = [...this.#instances.values()].filter(({ isReady }) => isReady);
    const instance = ready[this.#turn++ % ready.length];
    if (!instance) {
      client.on("error", () => {});
      client.resetAndDestroy();
      return;
    }
    const server = createConnection({ port: instance.port, host: "127.0.0.1" });
    this.#pass(client, server);
    this.#pass(server, client);
  }

  #pass(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    from.setNoDelay(true);
    from.pipe(to);
    from.on("error", () => to.destroy());
    from.once("close", () => {
      this.#sockets.delete(from);
      to.destroySoon();
    });
  }
}
