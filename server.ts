/**
 * RightTask Collab, put together: configuration, log, storage, the extensions in the order in which a connection meets them, and the
 * sockets in front. Start reading here; each part says in its own file what it promises.
 */
import { Logger } from "@hocuspocus/extension-logger";
import { MessageType, type Extension } from "@hocuspocus/server";
import { createAdmission } from "./auth/admission.ts";
import { BackendOrders } from "./auth/backend-orders.ts";
import { Outage } from "./auth/outage.ts";
import { Recheck } from "./auth/recheck.ts";
import { Revocations } from "./auth/revocations.ts";
import { rightsTiming, type RightsTiming } from "./auth/rights-timing.ts";
import { Rights } from "./auth/rights.ts";
import { authentication } from "./extensions/authentication.ts";
import { fanOutExtension } from "./extensions/fan-out.ts";
import { idleUnload } from "./extensions/idle-unload.ts";
import { lifecycleLog } from "./extensions/lifecycle-log.ts";
import { membership } from "./extensions/membership.ts";
import { noEcho } from "./extensions/no-echo.ts";
import { persistence } from "./extensions/persistence.ts";
import { presence } from "./extensions/presence.ts";
import { refuseWhileStopping } from "./extensions/refuse-while-stopping.ts";
import { roomCapacity } from "./extensions/room-capacity.ts";
import { roomNames } from "./extensions/room-names.ts";
import { FanOut } from "./fanout/fan-out.ts";
import { forBearer } from "./http/bearer.ts";
import { healthRoutes } from "./http/health.ts";
import { createHttpServer, listen } from "./http/http-server.ts";
import { metricsRoutes } from "./http/metrics.ts";
import { readiness } from "./http/readiness.ts";
import { roomApi } from "./http/room-api.ts";
import { createRouter } from "./http/router.ts";
import { closeReasons } from "./lib/close-reasons.ts";
import type { Config } from "./lib/config.ts";
import { Drain } from "./lib/drain.ts";
import { Guard } from "./lib/guard.ts";
import type { Identity } from "./lib/identity.ts";
import type { Log } from "./lib/log.ts";
import { Metrics } from "./lib/metrics.ts";
import type { StopOptions } from "./lib/process-events.ts";
import { Rooms } from "./lib/rooms.ts";
import { runProcess } from "./lib/run-process.ts";
import { runShutdown } from "./lib/shutdown.ts";
import { HandlingWatch } from "./limits/handling-watch.ts";
import { RoomMemory } from "./limits/room-memory.ts";
import { ClientIds } from "./members/client-ids.ts";
import { MemberMessages, type MessageHandler } from "./members/member-messages.ts";
import manifest from "./package.json" with { type: "json" };
import { AwarenessMessages } from "./presence/awareness-messages.ts";
import { awarenessQueries } from "./presence/awareness-queries.ts";
import { renewalTiming, type RenewalTiming } from "./presence/renewal-timing.ts";
import { PresenceStates } from "./presence/presence-states.ts";
import { journalLog } from "./storage/journal-log.ts";
import { Journal } from "./storage/journal.ts";
import { ThreadedStore } from "./storage/threaded-store.ts";
import { DocumentLimit } from "./sync/document-limit.ts";
import { storedAnswers } from "./sync/stored-answers.ts";
import { SyncMessages } from "./sync/sync-messages.ts";
import { Heartbeat } from "./transport/heartbeat.ts";
import { SocketServer, type Usage } from "./transport/socket-server.ts";

export interface RunningServer {
  readonly port: number;
  readonly rooms: Rooms;
  readonly store: ThreadedStore;
  readonly guard: Guard;
  readonly metrics: Metrics;
  /** What clients that are there use up of what is limited for all together. */
  readonly usage: () => Usage;
  /** Resolves with the exit code: 0, or 1 when something could not be saved in time. */
  stop(options?: StopOptions): Promise<number>;
}

export interface StartOptions {
  readonly config: Config;
  readonly log: Log;
  /** A team's own extensions; they run after ours, inside the same guard. */
  readonly extensions?: readonly Extension<Identity>[];
  /** A faster one in tests. */
  readonly heartbeat?: Heartbeat;
  /** The same for tokens and re-checks. */
  readonly timing?: RightsTiming;
  /** The same for presence. */
  readonly presenceTiming?: RenewalTiming;
}

/** Starts a server. @throws when the store cannot be opened or the port cannot be had. */
export async function startServer({
  config,
  log,
  extensions = [],
  heartbeat = new Heartbeat(),
  timing = rightsTiming,
  presenceTiming = renewalTiming,
}: StartOptions): Promise<RunningServer> {
  const drain = new Drain({
    deadlineMs: config.shutdownSeconds * 1000,
    isOneOfSeveral: config.redisUrl !== null,
  });
  for (const warning of config.warnings) log.warn({ event: "insecure-default" }, warning);

  // Storage: a worker thread with the store, and the journal that feeds it.
  const store = new ThreadedStore({ databaseUrl: config.databaseUrl });
  await store.check().catch((error: unknown) => {
    throw new Error("The store in DATABASE_URL cannot be opened", { cause: error });
  });
  const journal = new Journal({
    store,
    maxUnsavedBytes: config.maxUnsavedBytes,
    events: {
      onFull: () => sockets.dismissAll(closeReasons.storageUnavailable),
      onSaved: (room) => persist.saved(room),
      ...journalLog(log),
    },
  });

  // Who may be where, and for how long.
  const rights = new Rights({ log, onMayWrite: (member) => sync.mayWrite(member) });
  const revocations = new Revocations();
  const outage = new Outage({ log });
  const admit = createAdmission(config, { revocations, outage });
  const recheck = new Recheck({
    rights,
    admit,
    outage,
    log,
    graceMs: timing.graceMs,
    // Tokens alone change only by being replaced.
    intervalMs: config.authMode.includes("webhook") ? config.authRecheckSeconds * 1000 : 0,
  });
  const orders: BackendOrders = new BackendOrders({
    rights,
    revocations,
    recheck,
    announce: (order) => fanOut?.handOn(order),
  });

  // The other instances, where there are any.
  const { redisUrl } = config;
  const fanOut: FanOut | null =
    redisUrl === null
      ? null
      : new FanOut({
          ...config,
          redisUrl,
          identity: await store.identity(),
          log,
          saves: () => !journal.isBehind,
          append: (room, update) => persist.append(room, update),
          progress: () => journal.progress,
          storedBytes: (room) => persist.storedBytes(room),
          catchUp: (document) => persist.catchUp(document),
          onBroken: (document) => rooms.discard(document, () => closeReasons.roomReloaded),
          onOrder: (order) => orders.obey(order),
        });

  // What this server adds to Hocuspocus, in the order in which a connection meets it.
  const guard = new Guard({ log });
  const hold = (room: string): (() => void) => rooms.hold(room);
  const memory: RoomMemory = new RoomMemory({
    ...config,
    storedBytes: (room) => persist.storedBytes(room),
    remeasure: (room) => persist.remeasure(room),
    onPressure: () => idle.expireAll(),
    log,
  });
  const persist = persistence({
    store,
    journal,
    log,
    hold,
    maxDocumentBytes: config.maxDocumentBytes,
    memory,
    isElsewhere: (...update) => fanOut?.kept.keeps(...update) ?? false,
    beforeAppend: (...update) => fanOut?.kept.takeOverFor(...update),
    beforeRead: (document) => fanOut?.join(document),
  });
  const clientIds = new ClientIds({
    userElsewhere: fanOut && ((document, client) => fanOut.userElsewhere(document, client)),
  });
  const states = new PresenceStates({ clientIds });
  const idle = idleUnload({ idleMs: config.roomIdleSeconds * 1000, hold, isPressed: () => memory.isPressed });
  const rooms: Rooms = new Rooms({
    guard,
    configuration: {
      name: manifest.name,
      quiet: true,
      timeout: LOGIN_DEADLINE_MS,
      maxPendingDocuments: config.maxRoomsPerConnection,
      // Broadcasts go out as they come; the client sockets gather a turn's frames, which costs less than merging updates.
      flushDelay: false,
      extensions: [
        ...(config.logLevel === "trace"
          ? [new Logger({ log: (line: string) => log.trace({ event: "hook" }, line) })]
          : []),
        refuseWhileStopping({ isStopping: () => drain.isSendingAway }),
        roomNames({ pattern: config.roomNamePattern }),
        authentication({ admit, rights, revocations, recheck, timing, log }),
        roomCapacity({
          ...config,
          seats: {
            occupancy: (...parameters) => rooms.occupancy(...parameters),
            admit: (...parameters) => rooms.admit(...parameters),
          },
        }),
        persist,
        ...(fanOut ? [fanOutExtension(fanOut)] : []),
        noEcho(),
        membership(),
        presence({ ...presenceTiming, states, documents: () => rooms.documents.values() }),
        idle,
        lifecycleLog({ log }),
        ...extensions,
      ],
    },
  });

  const metrics: Metrics = new Metrics({
    connections: () => sockets.connections,
    usage: () => sockets.usage,
    rooms: () => rooms.getDocumentsCount(),
    roomsBytes: () => memory.bytes,
    unsavedBytes: () => journal.unsavedBytes,
    commits: () => journal.commits,
    hookFailures: () => guard.failures,
    redis: fanOut && (() => fanOut.figures),
    backend: () => outage,
  });
  const watch = new HandlingWatch({ log, onSlow: (room) => metrics.slow(room) });

  // The HTTP server and the WebSockets on it.
  const httpServer = createHttpServer(
    createRouter({
      log,
      routes: {
        ...healthRoutes({
          describe: () => ({ rooms: rooms.getDocumentsCount(), connections: sockets.connections }),
          checks: readiness({ drain, journal, store, memory, fanOut }),
        }),
        ...forBearer(config.adminToken, { ...roomApi({ rooms, orders }), ...metricsRoutes(metrics) }),
      },
    }),
  );
  const answer = storedAnswers({
    store,
    journal,
    unsavedUpdates: (room) => [...journal.unsavedUpdates(room), ...(fanOut?.kept.of(room) ?? [])],
    storedBytes: (room) => persist.storedBytes(room),
    reportUnreadable: (room, rows) => persist.reportUnreadable(room, rows),
  });
  const sync: SyncMessages = new SyncMessages({
    rooms,
    log,
    answer,
    clientIds,
    onIntroduced: (member) => states.greet(member),
    memory,
    ensureSaved: fanOut ? (room) => fanOut.kept.takeOver({ room }) : undefined,
    limit: new DocumentLimit({
      maxDocumentBytes: config.maxDocumentBytes,
      storedBytes: (room) => persist.storedBytes(room),
      remeasure: (room) => persist.remeasure(room),
    }),
  });
  const handlers = new Map<MessageType, MessageHandler>([
    [MessageType.Sync, sync],
    [MessageType.SyncReply, sync],
    [MessageType.Awareness, new AwarenessMessages({ ...config, states, clientIds })],
    [MessageType.QueryAwareness, awarenessQueries],
  ]);
  const sockets: SocketServer = new SocketServer({
    ...config,
    httpServer,
    rooms,
    members: new MemberMessages({ rooms, log, handlers, watch }),
    metrics,
    log,
    heartbeat,
    whenSaved: (...parameters) => journal.whenSaved(...parameters),
    state: () => ({ stopping: drain.hasBegun, storageTrouble: journal.trouble !== null }),
  });
  const port = await (async () => {
    try {
      await fanOut?.start();
      return await listen(httpServer, config);
    } catch (error) {
      await fanOut?.stop();
      await store.close();
      throw error;
    }
  })();
  // Not awaited: an extension that never settles would keep SIGTERM waiting for the start to end.
  void rooms.hooks("onListen", { instance: rooms, configuration: rooms.configuration, port });
  log.info(
    { event: "listening", port, auth: config.authMode },
    `🚀 Listening on http://${config.host}:${port}`,
  );

  return {
    port,
    rooms,
    store,
    guard,
    metrics,
    usage: () => sockets.usage,
    async stop({ inHaste = false } = {}) {
      const { connections } = sockets;
      const plan = drain.begin({ connections, inHaste });
      log.info({ event: "stopping", connections, ...plan }, "🛑 Stopping");
      await runShutdown(
        [
          { name: "let load balancers notice", run: () => drain.notice(plan) },
          { name: "close the clients", run: () => sockets.closeAll(closeReasons.restarting, plan) },
          { name: "save what other instances were to save", run: async () => fanOut?.leave() },
          { name: "save the last edits", run: () => journal.settled() },
          { name: "compact the rooms", run: (deadline) => persist.compactAll(deadline) },
          { name: "unload the rooms", run: async () => idle.expireAll() },
          { name: "tell the extensions", run: () => rooms.hooks("onDestroy", { instance: rooms }) },
          { name: "close the store", run: () => store.close() },
        ],
        { deadlineMs: config.shutdownSeconds * 1000, log },
      );
      metrics.stop();
      httpServer.close();
      httpServer.closeAllConnections();
      const unsaved = journal.unsavedRooms;
      if (unsaved.length > 0)
        log.error({ event: "unsaved", rooms: unsaved }, "🛑 Stopped with unsaved edits, never acknowledged");
      else log.info({ event: "stopped" }, "🛑 Stopped; everything is saved");
      return unsaved.length > 0 ? 1 : 0;
    },
  };
}

/** Sockets that have not logged in are closed between this and twice this (Hocuspocus' `timeout`), ms. */
const LOGIN_DEADLINE_MS = 30_000;

if (import.meta.main) await runProcess(startServer);
