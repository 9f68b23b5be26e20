/** The HTTP server below everything: how long a client may take to say what it wants, and how much. */
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Config } from "../lib/config.ts";
import { boundPlainConnections } from "./plain-connections.ts";

/** For a whole request, from its first byte or from the opening of the connection. A slow network takes a second, and none of ours has a body. */
const REQUEST_TIMEOUT_MS = 15_000;
/** How often that is looked at: a connection may outlive it by so much. */
const CHECK_INTERVAL_MS = 2000;
/** Tokens travel in messages, not in headers; what is left are cookies of the same site and what proxies add. */
const MAX_HEADER_BYTES = 16_384;

export function createHttpServer(listener: RequestListener): Server {
  const httpServer = createServer(
    {
      requestTimeout: REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: CHECK_INTERVAL_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
    },
    listener,
  );
  boundPlainConnections(httpServer);
  return httpServer;
}

/** Resolves with the port: the one asked for, or a free one for 0. */
export function listen(httpServer: Server, { port, host }: Pick<Config, "port" | "host">): Promise<number> {
  return new Promise((resolve, reject) => {
    httpServer.once("error", reject);
    httpServer.listen(port, host, () => resolve((httpServer.address() as AddressInfo).port));
  });
}
