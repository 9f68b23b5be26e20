/** A user: the real `HocuspocusProvider`, as a React client has it. */
import {
  HocuspocusProvider,
  type CompleteHocuspocusProviderConfiguration,
  type CompleteHocuspocusProviderWebsocketConfiguration,
  type onMessageParameters,
} from "@hocuspocus/provider";
import { onTestFinished } from "vitest";
import type * as Y from "yjs";
import { until } from "./until.ts";

type ProviderOptions = Omit<
  CompleteHocuspocusProviderConfiguration,
  keyof CompleteHocuspocusProviderWebsocketConfiguration
> &
  CompleteHocuspocusProviderWebsocketConfiguration;

export interface ClientOptions extends Partial<ProviderOptions> {
  /** `ws://…` or `http://…` */
  readonly url: string;
  readonly name: string;
}

/** A provider with what tests wait for. */
export class Client {
  readonly provider: HocuspocusProvider;
  /** Close codes and reasons in the order in which they came. */
  readonly closes: { code: number; reason: string }[] = [];
  /** Document updates received, one entry each: what the server broadcast to this client. */
  updatesReceived = 0;
  /** Reasons of `authenticationFailed`. */
  readonly denials: string[] = [];

  constructor({ url, ...options }: ClientOptions) {
    this.provider = new HocuspocusProvider({ token: "guest", ...options, url: url.replace(/^http/, "ws") });
    this.provider.on("authenticationFailed", ({ reason }: { reason: string }) => this.denials.push(reason));
    this.provider.on("message", ({ message }: onMessageParameters) => {
      if (isUpdate(message)) this.updatesReceived++;
    });
    // `disconnect` is the socket's own close; `close` also reports document-level ones.
    this.provider.on("disconnect", ({ event }: { event: { code: number; reason: string } }) =>
      this.closes.push({ code: event.code, reason: event.reason }),
    );
  }

  get doc(): Y.Doc {
    return this.provider.document;
  }

  get text(): Y.Text {
    return this.doc.getText("text");
  }

  /** What stands in the text. */
  get content(): string {
    return this.text.toJSON();
  }

  get tasks(): Y.Map<unknown> {
    return this.doc.getMap("tasks");
  }

  /** Let in, and in possession of the room's state. */
  async synced(): Promise<this> {
    await until(
      `${this.provider.configuration.name} synced; ${JSON.stringify([this.closes, this.denials])}`,
      () => this.provider.synced,
    );
    return this;
  }

  /** Told by the server that everything so far is saved. */
  async saved(): Promise<this> {
    await until("saved", () => this.provider.synced && !this.provider.hasUnsyncedChanges, {
      timeoutMs: 20_000,
    });
    return this;
  }

  async closedWith(code: number): Promise<{ code: number; reason: string }> {
    return until(`closed with ${code}; so far ${JSON.stringify(this.closes)}`, () =>
      this.closes.find((close) => close.code === code),
    );
  }

  async denied(): Promise<string> {
    return until("denied", () => this.denials[0]);
  }

  leave(): void {
    this.provider.destroy();
  }
}

/** Sync message (type 0) of sub-type update (2), after the address. */
function isUpdate(message: onMessageParameters["message"]): boolean {
  message.readVarString();
  return message.readVarUint() === 0 && message.readVarUint() === 2;
}

/** A client that leaves with the test. */
export function connect(options: ClientOptions): Client {
  const client = new Client(options);
  onTestFinished(() => client.leave());
  return client;
}
