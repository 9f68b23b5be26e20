/**
 * The HTTP side: a table of methods and paths. Everything else is 404, another method on a known path 405. Nothing has a body to read, nothing
 * may be cached, and there is no CORS: pages of other origins get no answer to read.
 */
import { METHODS, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import findMyWay, { type HTTPMethod } from "find-my-way";
import type { Log } from "../lib/log.ts";

export interface Call {
  /** The parts of the path that the route names, decoded. */
  readonly params: Readonly<Record<string, string | undefined>>;
  readonly query: URLSearchParams;
  readonly request: IncomingMessage;
}

export interface Answer {
  readonly status: number;
  /** An object is sent as JSON, a string as it is. */
  readonly body: object | string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Thrown by a handler that cannot make sense of a call: answered 400, with the message. */
export class BadRequest extends Error {
  override readonly name = "BadRequest";
}

export type Handler = (call: Call) => Answer | Promise<Answer>;

/** By method and path, as in `GET /api/rooms/:room`. */
export type Routes = Readonly<Record<string, Handler>>;

/** A room name has 200 characters, each of which may be nine in a URL. */
const MAX_PARAM_LENGTH = 2000;

export function createRouter({
  routes,
  log,
}: {
  readonly routes: Routes;
  readonly log: Log;
}): RequestListener {
  const router = findMyWay({ maxParamLength: MAX_PARAM_LENGTH });
  for (const [route, handler] of Object.entries(routes)) {
    const [method, path] = route.split(" ") as [HTTPMethod, string];
    router.on(method, path, () => {}, handler);
  }
  const methodsOf = (path: string): string[] =>
    METHODS.filter((method) => router.find(method as HTTPMethod, path)).flatMap((method) =>
      method === "GET" ? ["GET", "HEAD"] : [method],
    );

  return (request, response) => {
    const [path = "/", ...search] = (request.url ?? "/").split("?");
    const method = request.method === "HEAD" ? "GET" : request.method;
    const found = router.find(method as HTTPMethod, path);
    if (!found) {
      const methods = methodsOf(path);
      return methods.length === 0
        ? send(response, { status: 404, body: { error: "not found" } })
        : send(response, {
            status: 405,
            body: { error: "method not allowed" },
            headers: { Allow: methods.join(", ") },
          });
    }
    const query = new URLSearchParams(search.join("?"));
    Promise.resolve()
      .then(() => (found.store as Handler)({ params: found.params, query, request }))
      .catch((error: unknown): Answer => {
        if (error instanceof BadRequest) return { status: 400, body: { error: error.message } };
        log.error({ event: "request-failed", path, err: error }, `Request ${path} failed`);
        return { status: 500, body: { error: "internal error" } };
      })
      .then((answer) => send(response, answer))
      // The client is gone; there is nobody to tell.
      .catch(() => response.destroy());
  };
}

function send(response: ServerResponse, { status, body, headers }: Answer): void {
  const isText = typeof body === "string";
  const text = isText ? body : `${JSON.stringify(body)}\n`;
  response.writeHead(status, {
    "Content-Type": `${isText ? "text/plain" : "application/json"}; charset=utf-8`,
    "Content-Length": Buffer.byteLength(text),
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    ...headers,
  });
  response.end(text);
}
