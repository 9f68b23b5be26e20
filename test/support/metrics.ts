/** What Prometheus would read of a server that has `adminToken`. */
import { adminToken } from "./room-api.ts";

export function fetchMetrics(
  url: string,
  headers: Readonly<Record<string, string>> = { authorization: `Bearer ${adminToken}` },
): Promise<Response> {
  return fetch(`${url.replace(/^ws/, "http")}/metrics`, { headers });
}

/** The figures by name and labels. */
export async function metricsOf(url: string): Promise<Map<string, number>> {
  const lines = (await (await fetchMetrics(url)).text()).split("\n");
  return new Map(
    lines
      .filter((line) => line && !line.startsWith("#"))
      .map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ")))]),
  );
}
