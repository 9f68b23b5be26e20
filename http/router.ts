/** The HTTP side: a table of paths. Everything else is 404, every method but GET and HEAD 405. */
import type { RequestListener, ServerResponse } from "node:http";
import type { Log } from "../lib/log.ts";

export interface Answer {
  readonly status: number;
  readonly body: object;
}

export type Routes = Readonly<Record<string, () => Answer | Promise<Answer>>>;

export function createRouter({
  routes,
  log,
}: {
  readonly routes: Routes;
  readonly log: Log;
}): RequestListener {
  return (request, response) => {
    const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
    const route = Object.hasOwn(routes, path) ? routes[path] : undefined;
    if (!route) return send(response, { status: 404, body: { error: "not found" } });
    if (request.method !== "GET" && request.method !== "HEAD") {
      response.setHeader("Allow", "GET, HEAD");
      return send(response, { status: 405, body: { error: "method not allowed" } });
    }
    Promise.resolve()
      .then(route)
      .catch((error: unknown) => {
        log.error({ event: "request-failed", path, err: error }, `Request ${path} failed`);
        return { status: 500, body: { error: "internal error" } };
      })
      .then((answer) => send(response, answer))
      // The client is gone; there is nobody to tell.
      .catch(() => response.destroy());
  };
}

function send(response: ServerResponse, { status, body }: Answer): void {
  const text = `${JSON.stringify(body)}\n`;
  response.writeHead(status, {
    "Content-Type": "application/json; charset=utf-8",
    "Content-Length": Buffer.byteLength(text),
    "Cache-Control": "no-store",
  });
  response.end(response.req.method === "HEAD" ? undefined : text);
}
