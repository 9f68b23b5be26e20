/**
 * The server of y-websocket 2.1 as its bin/server.cjs starts it, without persistence. Only `ws` differs: the version
 * all three servers share, not the old one in the package, so that protocols are compared and not releases of ws.
 */
import { createServer, type IncomingMessage } from "node:http";
import { createRequire } from "node:module";
import { type WebSocket, WebSocketServer } from "ws";

// Its server part has no types and is CommonJS; loading it this way also keeps a second copy of Yjs out.
const yWebsocket: { setupWSConnection: (socket: WebSocket, request: IncomingMessage) => void } =
  createRequire(import.meta.url)("y-websocket/bin/utils");

const sockets = new WebSocketServer({ noServer: true });
sockets.on("connection", yWebsocket.setupWSConnection);

const server = createServer();
server.on("upgrade", (request, socket, head) => {
  sockets.handleUpgrade(request, socket, head, (webSocket) => {
    sockets.emit("connection", webSocket, request);
  });
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("Not listening on a port");
  console.log(JSON.stringify({ event: "listening", port: address.port }));
});
