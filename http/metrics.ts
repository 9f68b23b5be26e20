/** `GET /metrics`, for Prometheus. It names slow rooms and the version: for the bearer of ADMIN_TOKEN, as a scraper can be. */
import type { Metrics } from "../lib/metrics.ts";
import type { Routes } from "./router.ts";

export function metricsRoutes(metrics: Metrics): Routes {
  return {
    "GET /metrics": async () => ({
      status: 200,
      body: await metrics.text(),
      headers: { "Content-Type": metrics.contentType },
    }),
  };
}
