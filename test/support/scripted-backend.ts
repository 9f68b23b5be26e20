/** A webhook whose answers the test gives, each when it wants. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";
import { webhookSecret } from "./backend.ts";
import { until } from "./until.ts";

export interface Question {
  readonly token: string;
  /** The user is the token's first word. */
  readonly answer: (status: number, differently?: object) => void;
}

export interface ScriptedBackend {
  readonly env: Record<string, string>;
  /** Those not answered yet, for the test to take out. */
  readonly questions: Question[];
}

export async function scriptedBackend(): Promise<ScriptedBackend> {
  const questions: Question[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      const { token } = JSON.parse(body) as { token: string };
      const answer = (status: number, differently: object = {}): void => {
        const user = { id: token.split(" ")[0], name: token };
        response.writeHead(status).end(JSON.stringify({ user, access: "write", ...differently }));
      };
      questions.push({ token, answer });
    });
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const env = {
    AUTH_MODE: "webhook",
    AUTH_WEBHOOK_URL: `http://127.0.0.1:${port}/`,
    AUTH_WEBHOOK_SECRET: webhookSecret,
    AUTH_RECHECK_SECONDS: "0",
  };
  return { env, questions };
}

export const next = (questions: Question[], what: string): Promise<Question> =>
  until(what, (): Question | undefined => questions.shift());
