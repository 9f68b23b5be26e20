/** The room API as a backend calls it. */
export const adminToken = "test-admin-token-of-the-collaboration-server";

export interface ApiAnswer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
  readonly allow: string | null;
}

export async function callApi(
  url: string,
  route: string,
  headers: Readonly<Record<string, string>> = { authorization: `Bearer ${adminToken}` },
): Promise<ApiAnswer> {
  const [method = "", path = ""] = route.split(" ");
  const response = await fetch(url.replace(/^ws/, "http") + path, { method, headers });
  const body = (await response.json()) as ApiAnswer["body"];
  return { status: response.status, body, allow: response.headers.get("allow") };
}
