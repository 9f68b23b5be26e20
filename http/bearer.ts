/** Routes for the bearer of ADMIN_TOKEN alone. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { Answer, Handler, Routes } from "./router.ts";

const unauthorized: Answer = {
  status: 401,
  body: { error: "needs Authorization: Bearer <ADMIN_TOKEN>" },
  headers: { "WWW-Authenticate": "Bearer" },
};

/** @param token without one there are no such routes: a stranger cannot tell that there could be. */
export function forBearer(token: string | null, routes: Routes): Routes {
  if (token === null) return {};
  const expected = sha256(`Bearer ${token}`);
  const guarded =
    (handler: Handler): Handler =>
    (call) =>
      // Hashed first: the comparison wants equal lengths, and the length of the token is nobody's business either.
      timingSafeEqual(sha256(call.request.headers.authorization ?? ""), expected)
        ? handler(call)
        : unauthorized;
  return Object.fromEntries(Object.entries(routes).map(([route, handler]) => [route, guarded(handler)]));
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
