/** Each metric of a server: its name, and where its values come from. */
import type { Status } from "../status/status.ts";
import {
  HANDSHAKE_BOUNDS,
  type Live,
  type LiveListener,
  type Tally,
  type UpstreamTally,
} from "./tally.ts";

/** What all metrics of one scrape are made from. */
export interface MetricsSource {
  readonly status: Status;
  readonly live: Live;
  readonly tally: Tally;
  /** Milliseconds that the event loop was late by. */
  readonly lag: number;
}

/**
 * Labels come from the table, from lists in this program and from the system,
 * and never from what a peer has sent: their number is bounded.
 */
type Labels = Readonly<Record<string, string | number>>;

/** A value, with the end of its metric's name where it has one. */
export type Sample = readonly [value: number, labels?: Labels, suffix?: string];

export interface Definition {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram" | "summary";
  readonly help: string;
  readonly samples: (source: MetricsSource) => readonly Sample[];
}

export const METRICS: readonly Definition[] = [
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
    name: "tcpmux_tls_certificate_expiry_timestamp_seconds",
    type: "gauge",
    help: "When a certificate of [server.tls] ends.",
    samples: ({ status: { certificates } }) => {
      // No sample may come twice: of those with one name, that which ends first.
      const ends = new Map(
        certificates.map(({ file, until }) =>
          [file, Date.parse(until) / 1000] as const
        ).toSorted(([, a], [, b]) => b - a),
      );
      return [...ends].map(([certificate, end]) => [end, { certificate }]);
    },
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
    samples: ({ tally, live }) =>
      listenersOf(tally, live).map(({ listener, results, now }) =>
        [sumOf(results) + now.connections, { listener }] as const
      ),
  },
  {
    name: "tcpmux_connections_active",
    type: "gauge",
    help: "Connections under way: before their service began, and behind that.",
    samples: ({ tally, live }) =>
      listenersOf(tally, live).flatMap(({ listener, now }) =>
        [
          [now.connections - now.serving, { listener, state: "handshake" }],
          [now.serving, { listener, state: "session" }],
        ] as const
      ),
  },
  {
    name: "tcpmux_handshakes_total",
    type: "counter",
    help: "Connections by what their handshake has led to; ok: a service.",
    samples: ({ tally, live }) =>
      listenersOf(tally, live).flatMap(({ listener, results, now }) =>
        Object.entries(results).map(([result, count]) =>
          [
            result === "ok" ? count + now.serving : count,
            { listener, result },
          ] as const
        )
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
    samples: ({ tally }) => countsOf(tally, "ends", "end"),
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
    samples: ({ tally }) => countsOf(tally, "failures", "reason"),
  },
  {
    name: "tcpmux_upstream_up",
    type: "gauge",
    help: "Whether it answered when it was last tried; none before the first.",
    samples: ({ tally }) =>
      upstreamsOf(tally).flatMap(({ labels, tally: { isUp } }) =>
        isUp === undefined ? [] : [[Number(isUp), labels] as const]
      ),
  },
  {
    name: "tcpmux_upstream_sessions_active",
    type: "gauge",
    help: "Sessions under way that are connected to it.",
    samples: ({ tally, live }) =>
      upstreamsOf(tally).map(({ labels }) => {
        const { upstreams } = live.services.get(labels.service) ?? {};
        return [upstreams?.get(labels.upstream) ?? 0, labels] as const;
      }),
  },
  {
    name: "tcpmux_upstream_connect_duration_seconds",
    type: "summary",
    help: "What it took to connect to it.",
    samples: ({ tally }) =>
      upstreamsOf(tally).flatMap(({ labels, tally: { seconds, answers } }) =>
        [[seconds, labels, "_sum"], [answers, labels, "_count"]] as const
      ),
  },
  {
    name: "tcpmux_child_exits_total",
    type: "counter",
    help: "Programs of services that have exited, by their status.",
    samples: ({ tally }) => countsOf(tally, "exits", "status"),
  },
  {
    name: "tcpmux_accept_errors_total",
    type: "counter",
    help:
      "How often a connection could not be accepted, by the system's error.",
    samples: ({ tally }) =>
      Object.entries(tally.acceptErrors).map(([errno, count]) =>
        [count, { errno }] as const
      ),
  },
];

function histogram({ handshakes, handshakeSeconds }: Tally): Sample[] {
  let sum = 0;
  const buckets = handshakes.map((count, i): Sample => {
    const le = HANDSHAKE_BOUNDS[i] ?? "+Inf";
    return [sum += count, { le }, "_bucket"];
  });
  return [...buckets, [handshakeSeconds, {}, "_sum"], [sum, {}, "_count"]];
}

interface ListenerCounts {
  readonly listener: string;
  readonly results: Readonly<Record<string, number>>;
  readonly now: LiveListener;
}

/** Those of the table, and those that have sessions under way. */
function listenersOf({ listeners }: Tally, live: Live): ListenerCounts[] {
  const names = new Set([...listeners.keys(), ...live.listeners.keys()]);
  return [...names].map((listener) => ({
    listener,
    results: listeners.get(listener) ?? {},
    now: live.listeners.get(listener) ?? { connections: 0, serving: 0 },
  }));
}

interface UpstreamCounts {
  readonly labels: { readonly service: string; readonly upstream: string };
  readonly tally: UpstreamTally;
}

function upstreamsOf({ services }: Tally): UpstreamCounts[] {
  return [...services].flatMap(([service, { upstreams }]) =>
    [...upstreams].map(([upstream, tally]) => ({
      labels: { service, upstream },
      tally,
    }))
  );
}

/** What each service counts by a word, which the label has. */
function countsOf(
  { services }: Tally,
  by: "ends" | "exits" | "failures",
  label: string,
): Sample[] {
  return [...services].flatMap(([service, { [by]: counts }]) =>
    Object.entries(counts).map(([word, count]): Sample => [
      count,
      { service, [label]: word },
    ])
  );
}

function sumOf(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
