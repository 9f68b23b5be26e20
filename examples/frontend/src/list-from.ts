/** A list that the backend answers with. @throws where it is none, such as a proxy's own page: what is remembered of it would break the next visits too */
export async function listFrom<T extends object>(response: Response): Promise<readonly T[]> {
  const body: unknown = await response.json();
  const isList = Array.isArray(body) && body.every((entry) => typeof entry === "object" && entry !== null);
  if (!isList) throw new Error(`${response.url} answered with something else than a list`);
  return body as T[];
}
