/** What goes wrong with Postgres, as a `StorageError` that does not say the password. Its cause may: for debuggers, never for a log. */
import { StorageError } from "./store.ts";

/** Only for errors of connections made with this address. */
export function storageErrorsFor(databaseUrl: string): (error: unknown) => StorageError {
  const secrets = secretsIn(databaseUrl);
  return (error) => {
    if (error instanceof StorageError) return error;
    let message = messageOf(error);
    for (const secret of secrets) message = message.replaceAll(secret, "***");
    return new StorageError(`Postgres: ${message}`, { cause: error });
  };
}

/** The password as it is written in the URL and as it is meant. */
function secretsIn(databaseUrl: string): string[] {
  const url = URL.parse(databaseUrl);
  const written = [url?.password, url?.searchParams.get("password")].filter((secret) => secret != null);
  return [...written, ...written.map(decoded)].filter((secret) => secret !== "");
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function messageOf(error: unknown): string {
  // One error for each address of a host name, in one that says nothing itself.
  if (error instanceof AggregateError) return error.errors.map(messageOf).join(", ");
  return error instanceof Error ? error.message : String(error);
}
