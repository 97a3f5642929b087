/** The metrics of a server, in Prometheus' text format. */
import { readdirSync, readFileSync } from "node:fs";
import { type Metric, Registry } from "prom-client";
import { permitted } from "../transport/permission.ts";
import type { Status } from "../status/status.ts";
import type { Live } from "./live.ts";
import { HANDSHAKE_BOUNDS, type Tally } from "./tally.ts";

/** What all metrics of one scrape are made from. */
export interface MetricsSource {
  readonly status: Status;
  readonly live: Live;
  readonly tally: Tally;
}

/**
 * Labels come from the table, from lists in this program and from the system,
 * and never from what a peer has sent: their number is bounded.
 */
type Labels = Readonly<Record<string, string | number>>;

/** A value, with the end of its metric's name where it has one. */
type Sample = readonly [value: number, labels?: Labels, suffix?: string];

interface Definition {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram" | "summary";
  readonly help: string;
  readonly samples: (source: MetricsSource) => readonly Sample[];
}

const DEFINITIONS: readonly Definition[] = [
  {
    name: "tcpmux_build_info",
    type: "gauge",
    help: "The version of tcpmux and its runtime; always 1.",
    samples: ({ status: { version, runtime } }) => [[1, { version, runtime }]],
  },
  {
    name: "tcpmux_config_last_reload_successful",
    type: "gauge",
    help: "Whether the last reload, or else the start, has succeeded.",
    samples: ({ status: { reload } }) => [[Number(reload?.ok ?? true)]],
  },
  {
    name: "tcpmux_config_last_reload_success_timestamp_seconds",
    type: "gauge",
    help: "When the table in force came into force.",
    samples: ({ tally }) => [[tally.inForceSince / 1000]],
  },
  {
    name: "tcpmux_draining",
    type: "gauge",
    help: "Whether the server is stopping and accepts no more.",
    samples: ({ status }) => [[Number(status.draining)]],
  },
  {
    name: "tcpmux_connections_accepted_total",
    type: "counter",
    help: "Connections that were accepted.",
    samples: ({ tally, live }) => [[tally.ended + live.connections]],
  },
  {
    name: "tcpmux_connections_active",
    type: "gauge",
    help: "Connections under way: before their service began, and behind that.",
    samples: ({ live: { connections, serving } }) => [
      [connections - serving, { state: "handshake" }],
      [serving, { state: "session" }],
    ],
  },
  {
    name: "tcpmux_handshakes_total",
    type: "counter",
    help: "Connections by what their handshake has led to; ok: a service.",
    samples: ({ tally, live }) =>
      Object.entries(tally.results).map(([result, count]) =>
        [result === "ok" ? count + live.serving : count, { result }] as const
      ),
  },
  {
    name: "tcpmux_handshake_duration_seconds",
    type: "histogram",
    help: "Time from accept until the service began, of ended sessions.",
    samples: ({ tally }) => histogram(tally),
  },
  {
    name: "tcpmux_sessions_total",
    type: "counter",
    help: "Sessions that have ended, by how.",
    samples: ({ tally }) =>
      [...tally.services].flatMap(([service, { ends }]) =>
        Object.entries(ends).map(([end, count]) =>
          [count, { service, end }] as const
        )
      ),
  },
  {
    name: "tcpmux_sessions_active",
    type: "gauge",
    help: "Sessions under way.",
    samples: ({ status }) =>
      status.services.map(({ name: service, sessions }) =>
        [sessions, { service }] as const
      ),
  },
  {
    name: "tcpmux_session_duration_seconds",
    type: "summary",
    help: "What sessions took that have ended.",
    samples: ({ tally }) =>
      [...tally.services].flatMap(([service, { seconds, ends }]) =>
        [
          [seconds, { service }, "_sum"],
          [sumOf(ends), { service }, "_count"],
        ] as const
      ),
  },
  {
    name: "tcpmux_bytes_total",
    type: "counter",
    help: "Bytes from clients (in) and to them (out).",
    samples: ({ status, live }) =>
      status.services.flatMap(({ name: service, bytes_in, bytes_out }) => {
        const now = live.services.get(service);
        return [
          [bytes_in + (now?.bytesIn ?? 0), { service, direction: "in" }],
          [bytes_out + (now?.bytesOut ?? 0), { service, direction: "out" }],
        ] as const;
      }),
  },
  {
    name: "tcpmux_upstream_failures_total",
    type: "counter",
    help: "How often a service could not be opened.",
    samples: ({ tally }) =>
      [...tally.services].flatMap(([service, { failures }]) =>
        Object.entries(failures).map(([reason, count]) =>
          [count, { service, reason }] as const
        )
      ),
  },
  {
    name: "process_start_time_seconds",
    type: "gauge",
    help: "When the server was started.",
    samples: ({ status }) => [[secondsOf(status.started)]],
  },
  {
    name: "process_cpu_seconds_total",
    type: "counter",
    help: "Processor time of the user and of the system.",
    samples: () => {
      const { user, system } = process.cpuUsage();
      return [[(user + system) / 1e6]];
    },
  },
  {
    name: "process_resident_memory_bytes",
    type: "gauge",
    help: "Memory that is in use.",
    samples: () => [[process.memoryUsage().rss]],
  },
  {
    name: "process_open_fds",
    type: "gauge",
    help: "Open descriptors.",
    // One of them is that of the folder itself.
    samples: () => ofProc(() => readdirSync("/proc/self/fd").length - 1),
  },
  {
    name: "process_max_fds",
    type: "gauge",
    help: "The most descriptors that may be open.",
    samples: () =>
      ofProc(() => {
        const limits = readFileSync("/proc/self/limits", "utf8");
        return Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1]);
      }),
  },
];

/** Makes the text of a scrape. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #source: () => MetricsSource;
  #current!: MetricsSource;

  constructor(source: () => MetricsSource) {
    this.#source = source;
    for (const { samples, ...definition } of DEFINITIONS) {
      this.#registry.registerMetric({
        name: definition.name,
        // Asked by the registry, each time that its text is made.
        get: () =>
          Promise.resolve({
            ...definition,
            aggregator: "sum",
            values: samples(this.#current).map(
              ([value, labels = {}, suffix = ""]) => ({
                value,
                labels,
                metricName: `${definition.name}${suffix}`,
              }),
            ),
          }),
      } as unknown as Metric);
    }
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  text(): Promise<string> {
    this.#current = this.#source();
    return this.#registry.metrics();
  }
}

function histogram({ handshakes, handshakeSeconds }: Tally): Sample[] {
  let sum = 0;
  const buckets = handshakes.map((count, i): Sample => {
    const le = HANDSHAKE_BOUNDS[i] ?? "+Inf";
    return [sum += count, { le }, "_bucket"];
  });
  return [...buckets, [handshakeSeconds, {}, "_sum"], [sum, {}, "_count"]];
}

function sumOf(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

function secondsOf(date: string): number {
  return Date.parse(date) / 1000;
}

/** No sample where the system or the runtime does not let it be known. */
function ofProc(read: () => number): readonly Sample[] {
  if (!permitted("read")) return [];
  try {
    const value = read();
    return Number.isFinite(value) ? [[value]] : [];
  } catch {
    return []; // another system has no such files
  }
}
