/** Starts the demo backend: configuration, application, the one line that says where it listens. */
import { ConsoleLogger, Logger } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import type { NestExpressApplication } from "@nestjs/platform-express";
import { AppModule } from "./app.module.js";
import { type Config, ConfigError, readConfig } from "./config.js";
import { corsForLogin } from "./cors.js";

/** EX_CONFIG of sysexits.h: a supervisor that sees it need not start us again before somebody has changed something. */
const EXIT_CONFIG = 78;

try {
  await start(readConfig(process.env));
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = EXIT_CONFIG;
}

async function start(config: Config): Promise<void> {
  const app = await NestFactory.create<NestExpressApplication>(AppModule.register(config), {
    logger: new ConsoleLogger({
      json: config.production,
      logLevels: ["log", "warn", "error", "fatal"],
    }),
    // The signature of the webhook covers the bytes that were sent; a body parsed and written again may differ.
    rawBody: true,
    // The collaboration server keeps its connections open; a stop must not wait for them. A check cut off here is
    // asked again by the caller, because a broken connection is no refusal.
    forceCloseConnections: true,
  });
  if (!config.production) app.enableCors(corsForLogin);
  // Without useProcessExit Nest ends by sending itself the signal again, which the caller sees as killed, not as exit 0.
  app.enableShutdownHooks(["SIGTERM", "SIGINT"], { useProcessExit: true });

  if (config.defaultedSecrets.length > 0) {
    const names = config.defaultedSecrets.join(" and ");
    new Logger("Config").warn(`🚨 ${names} NOT SET: using the development value that everybody knows 🚨`);
  }
  await app.listen(config.port, config.host);
  const address = app.getHttpServer().address();
  const port = typeof address === "object" && address ? address.port : config.port;
  // Plain, whatever the log format: tests and scripts wait for this line and read the port from it.
  process.stdout.write(`listening on http://127.0.0.1:${port}\n`);
}
