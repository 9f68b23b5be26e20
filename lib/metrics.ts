/**
 * What the server counts, as Prometheus reads it. A registry for each server: several may run in one process, as in the tests.
 *
 * What happens at each message is a plain increment here, and what is a state somewhere else is asked for when somebody reads.
 */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { MessageType } from "@hocuspocus/server";
import { Counter, Gauge, Registry } from "prom-client";
import manifest from "../package.json" with { type: "json" };

/** Rooms named as slow; later ones are counted as one. Names are the clients' choice, and each label is kept for ever. */
const MAX_SLOW_ROOMS = 20;
const OTHER_ROOMS = "(other)";

const DELAY_RESOLUTION_MS = 20;
const NANOSECONDS = 1e-9;

export interface MetricsSources {
  readonly connections: () => number;
  /** Of the sockets, where each is asked. */
  readonly usage: () => {
    readonly unauthenticated: number;
    readonly waitingBytes: number;
    readonly bufferedBytes: number;
    readonly mostBufferedBytes: number;
  };
  readonly rooms: () => number;
  readonly roomsBytes: () => number;
  readonly unsavedBytes: () => number;
  readonly commits: () => number;
  readonly hookFailures: () => number;
  /** Of the auth webhook. */
  readonly backend: () => {
    readonly underWay: number;
    readonly answers: Readonly<Record<string, number>>;
  };
  /** Not where rooms are not shared. */
  readonly redis?: (() => RedisFigures) | null;
}

export interface RedisFigures {
  readonly isUp: boolean;
  readonly published: number;
  readonly received: number;
  /** Answers to comparisons that had something which was missing here. */
  readonly repairs: number;
  /** Others that are heard. */
  readonly instances: number;
  /** Edits that others have not said to be committed yet. */
  readonly keptBytes: number;
}

interface Labelled {
  readonly label: string;
  readonly help: string;
  readonly values: () => Iterable<readonly [string, number]>;
}

export class Metrics {
  readonly #registry = new Registry();
  /** By type number: types are single bytes. */
  readonly #messages: number[] = Array.from({ length: 256 }, () => 0);
  readonly #refusals = new Map<string, number>();
  readonly #slowRooms = new Map<string, number>();
  readonly #delay = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS });

  constructor(sources: MetricsSources) {
    this.#gauge("connections", "WebSockets open", sources.connections);
    this.#gauge(
      "unauthenticated_connections",
      "WebSockets that were in no room yet",
      () => sources.usage().unauthenticated,
    );
    this.#gauge("rooms", "Rooms in memory", sources.rooms);
    this.#gauge("rooms_bytes", "Memory of all rooms, as estimated", sources.roomsBytes);
    this.#gauge(
      "waiting_bytes",
      "Sent by clients that are in no room yet",
      () => sources.usage().waitingBytes,
    );
    this.#gauge(
      "buffered_bytes",
      "Not read yet by the clients it is for",
      () => sources.usage().bufferedBytes,
    );
    this.#gauge(
      "most_buffered_bytes",
      "The same of the client that is furthest behind; cut off beyond MAX_BUFFERED_BYTES",
      () => sources.usage().mostBufferedBytes,
    );
    this.#gauge("unsaved_bytes", "Edits that are not on disk yet", sources.unsavedBytes);
    this.#counter("commits", "Batches of edits committed", sources.commits);
    this.#counter("hook_failures", "Extension hooks that failed", sources.hookFailures);
    this.#labelled("messages", {
      label: "type",
      help: "Messages from clients",
      values: () =>
        this.#messages.flatMap((count, type) => (count > 0 ? [[MessageType[type] ?? "unknown", count]] : [])),
    });
    this.#labelled("refusals", {
      label: "reason",
      help: "Clients turned away or put out",
      values: () => this.#refusals,
    });
    this.#gauge(
      "backend_questions",
      "Questions to the auth webhook that wait for their answer",
      () => sources.backend().underWay,
    );
    this.#labelled("backend_answers", {
      label: "answer",
      help: "Questions to the auth webhook by their answer, logins and re-checks",
      values: () => Object.entries(sources.backend().answers),
    });
    this.#labelled("slow_messages", {
      label: "room",
      help: "Messages that took the event loop 50 ms or more",
      values: () => this.#slowRooms,
    });
    if (sources.redis) this.#redis(sources.redis);
    this.#eventLoopDelay();
    this.#buildInfo();
    this.#delay.enable();
  }

  readonly contentType: string = Registry.PROMETHEUS_CONTENT_TYPE;

  /** @param type as a client sent it: any number. */
  message(type: number): void {
    const index = type < this.#messages.length ? type : this.#messages.length - 1;
    this.#messages[index] = (this.#messages[index] ?? 0) + 1;
  }

  /** @param reason of the registry of close reasons, or `http-` and a status. */
  refused(reason: string): void {
    this.#refusals.set(reason, (this.#refusals.get(reason) ?? 0) + 1);
  }

  slow(room: string): void {
    const isNamed = this.#slowRooms.has(room) || this.#slowRooms.size < MAX_SLOW_ROOMS;
    const label = isNamed ? room : OTHER_ROOMS;
    this.#slowRooms.set(label, (this.#slowRooms.get(label) ?? 0) + 1);
  }

  /** In the text format of Prometheus. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  stop(): void {
    this.#delay.disable();
  }

  #redis(figures: () => RedisFigures): void {
    this.#gauge("redis_up", "1 while rooms are shared with other instances", () => Number(figures().isUp));
    this.#gauge("instances", "Other instances that are heard", () => figures().instances);
    this.#gauge(
      "redis_kept_bytes",
      "Edits of other instances that are not known to be saved",
      () => figures().keptBytes,
    );
    this.#counter("redis_published", "Messages to other instances", () => figures().published);
    this.#counter("redis_received", "Messages on Redis, our own among them", () => figures().received);
    this.#counter("redis_repairs", "Comparisons that found something missing", () => figures().repairs);
  }

  #buildInfo(): void {
    const labels = { version: manifest.version, node: process.version };
    const gauge = new Gauge({
      name: "righttask_build_info",
      help: "What runs here",
      labelNames: Object.keys(labels),
      registers: [],
    });
    gauge.set(labels, 1);
    this.#registry.registerMetric(gauge);
  }

  #gauge(name: string, help: string, value: () => number): void {
    const collect = (): void => gauge.set(value());
    const gauge = new Gauge({ name: `righttask_${name}`, help, registers: [], collect });
    this.#registry.registerMetric(gauge);
  }

  #counter(name: string, help: string, value: () => number): void {
    const collect = (): void => {
      counter.reset();
      counter.inc(value());
    };
    const counter = new Counter({ name: `righttask_${name}_total`, help, registers: [], collect });
    this.#registry.registerMetric(counter);
  }

  #labelled(name: string, { label, help, values }: Labelled): void {
    const collect = (): void => {
      counter.reset();
      for (const [value, count] of values()) counter.inc({ [label]: value }, count);
    };
    const options = { name: `righttask_${name}_total`, help, labelNames: [label], registers: [], collect };
    const counter = new Counter(options);
    this.#registry.registerMetric(counter);
  }

  /** Since it was read the last time. */
  #eventLoopDelay(): void {
    const delay = this.#delay;
    const collect = (): void => {
      for (const percent of [50, 99, 100]) {
        const seconds = delay.percentile(percent) * NANOSECONDS - DELAY_RESOLUTION_MS / 1000;
        gauge.set({ quantile: percent / 100 }, Math.max(0, seconds));
      }
      delay.reset();
    };
    const name = "righttask_event_loop_delay_seconds";
    const help = "How much later than asked for the event loop came to a timer, since the last reading";
    const gauge = new Gauge({ name, help, labelNames: ["quantile"], registers: [], collect });
    this.#registry.registerMetric(gauge);
  }
}
