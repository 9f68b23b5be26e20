import { HocuspocusProviderWebsocket } from "@hocuspocus/provider";

/**
 * A socket that sends now or not at all.
 *
 * The stock one keeps messages while it is away and sends them after its return, beside the sync that has the same edits in it. Each is acknowledged,
 * the provider counts one (checked on 4.8), and calls everything saved at the first of many acks. The sync alone says it all.
 */
export class DirectSocket extends HocuspocusProviderWebsocket {
  override send(message: unknown): void {
    if (this.webSocket?.readyState === WebSocket.OPEN) super.send(message);
  }

  /** Finds out now whether the server can be reached, instead of after its silence. */
  probe(): void {
    this.disconnect();
    // Closing takes until the other side answers, which it cannot; the provider's own handler ends it here.
    if (this.webSocket)
      this.emit("close", { event: new CloseEvent("close", { code: 4408, reason: "probe" }) });
    void this.connect();
  }
}
