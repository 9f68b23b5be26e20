/**
 * Lets a frontend of another origin (Vite on 5173) log in and refresh its token during development, and reach nothing else.
 *
 * Any origin: the demo login asks for no password, so there is nothing that an origin could steal.
 */
import type { CorsOptions } from "@nestjs/common/interfaces/external/cors-options.interface.js";
import type { Request } from "express";

const PATHS = new Set(["/auth/login", "/auth/refresh"]);

export function corsForLogin(
  request: Request,
  done: (error: Error | null, options: CorsOptions) => void,
): void {
  done(null, { origin: PATHS.has(request.path) });
}
