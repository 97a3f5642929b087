/**
 * What the page shows, in the messages that it gets: all of it at first, and
 * then, each second, what has changed. The page is src/admin/page/page.js.
 */
import { formatEndpoint } from "../endpoint.ts";
import type { EndCode } from "../policy/ending.ts";
import type { Recorded } from "../record.ts";
import type { ServiceStatus, Status } from "../status/status.ts";
import { type Live, liveOf, type ServiceTally, type Tally } from "./tally.ts";
import type { Trouble } from "./troubles.ts";

/** Connections that are shown one by one; all of them are counted. */
const MOST_SHOWN = 5_000;

/** A connection under way, as a list to be short. */
type Row = readonly [
  id: number,
  /** Empty as long as it has none. */
  service: string,
  remote: string,
  /** Milliseconds since 1970. */
  since: number,
  bytesIn: number,
  bytesOut: number,
];

/** What changes of a connection. */
type Moved = readonly [
  id: number,
  service: string,
  bytesIn: number,
  bytesOut: number,
];

/** What changes of a service. */
type Counts = readonly [
  sessions: number,
  served: number,
  refused: number,
  failed: number,
  bytesIn: number,
  bytesOut: number,
  /** The last time that it could not be opened. */
  failure:
    | readonly [
      isLatest: boolean,
      at: number,
      times: number,
      reason: string,
    ]
    | null,
];

type Named = Pick<
  ServiceStatus,
  "name" | "aliases" | "description" | "kind" | "enabled" | "switched_off"
>;

/** What is small enough to be sent each time. */
interface Summary {
  readonly at: number;
  readonly version: string;
  readonly runtime: string;
  readonly pid: number;
  readonly started: string;
  readonly table: string;
  readonly reload: Status["reload"];
  readonly listeners: readonly string[];
  readonly draining: boolean;
  /** Since the server started. */
  readonly accepted: number;
  /** Now. */
  readonly connections: number;
  readonly serving: number;
  readonly results: Readonly<Record<EndCode, number>>;
}

interface Full {
  readonly summary: Summary;
  readonly services: readonly Named[];
  /** In the order of `services`. */
  readonly counts: readonly Counts[];
  readonly connections: readonly Row[];
  readonly troubles: readonly Trouble[];
}

interface Change {
  readonly summary: Summary;
  readonly counts: readonly (readonly [index: number, counts: Counts])[];
  readonly added: readonly Row[];
  readonly moved: readonly Moved[];
  readonly ended: readonly number[];
  readonly troubles?: readonly Trouble[];
}

/** A message to the page. */
export type Message =
  | { readonly event: "full"; readonly data: Full }
  | { readonly event: "change"; readonly data: Change };

/** What is asked each time that something is shown. */
export interface ViewOptions {
  readonly status: () => Status;
  readonly sessions: () => Iterable<Recorded>;
  readonly tally: Tally;
}

/** Knows what was sent, so as to send what has changed. */
export class View {
  readonly #options: ViewOptions;
  /** As text, to be compared. */
  #named = "";
  #counts: readonly string[] = [];
  #connections: ReadonlyMap<number, Moved> = new Map();
  #troubles = 0;

  constructor(options: ViewOptions) {
    this.#options = options;
  }

  /** All of it. Whoever has got a message before needs `next` before this. */
  full(): Message {
    const now = this.#now();
    const services = now.status.services.map(namedOf);
    const counts = countsOf(now);
    const sessions = this.#shown();
    const troubles = now.tally.troubles;
    this.#named = JSON.stringify(services);
    this.#counts = counts.map((one) => JSON.stringify(one));
    this.#connections = new Map(
      sessions.map((session) => [session.id, movedOf(session)]),
    );
    this.#troubles = troubles.version;
    return {
      event: "full",
      data: {
        summary: summaryOf(now),
        services,
        counts,
        connections: sessions.map(rowOf),
        troubles: troubles.list,
      },
    };
  }

  /** What has changed; all of it where the table has. */
  next(): Message {
    const now = this.#now();
    const named = JSON.stringify(now.status.services.map(namedOf));
    if (named !== this.#named) return this.full();
    return {
      event: "change",
      data: {
        summary: summaryOf(now),
        counts: this.#countsChanged(countsOf(now)),
        ...this.#connectionsChanged(),
        ...this.#troublesChanged(now.tally.troubles),
      },
    };
  }

  #now(): Now {
    const { status, sessions, tally } = this.#options;
    return { status: status(), live: liveOf(sessions()), tally };
  }

  #shown(): Recorded[] {
    const shown: Recorded[] = [];
    for (const session of this.#options.sessions()) {
      if (shown.length === MOST_SHOWN) break;
      shown.push(session);
    }
    return shown;
  }

  #countsChanged(counts: readonly Counts[]): Change["counts"] {
    const before = this.#counts;
    const texts = counts.map((one) => JSON.stringify(one));
    this.#counts = texts;
    return counts.map((one, index) => [index, one] as const)
      .filter(([index]) => texts[index] !== before[index]);
  }

  #connectionsChanged(): Pick<Change, "added" | "moved" | "ended"> {
    const before = this.#connections;
    const connections = new Map<number, Moved>();
    const added: Row[] = [];
    const moved: Moved[] = [];
    for (const session of this.#shown()) {
      const known = before.get(session.id);
      const next = known !== undefined && hasNotMoved(session, known)
        ? known
        : movedOf(session);
      connections.set(session.id, next);
      if (known === undefined) added.push(rowOf(session));
      else if (known !== next) moved.push(next);
    }
    this.#connections = connections;
    const ended = [...before.keys()].filter((id) => !connections.has(id));
    return { added, moved, ended };
  }

  #troublesChanged(
    { version, list }: Tally["troubles"],
  ): Pick<Change, "troubles"> {
    if (version === this.#troubles) return {};
    this.#troubles = version;
    return { troubles: list };
  }
}

interface Now {
  readonly status: Status;
  readonly live: Live;
  readonly tally: Tally;
}

function summaryOf({ status, live, tally }: Now): Summary {
  const { version, runtime, pid, started, table } = status;
  const { reload, listeners, draining } = status;
  return {
    at: Date.now(),
    version,
    runtime,
    pid,
    started,
    table,
    reload,
    listeners,
    draining,
    accepted: tally.ended + live.connections,
    connections: live.connections,
    serving: live.serving,
    results: tally.results,
  };
}

function namedOf(service: ServiceStatus): Named {
  const { name, aliases, description, kind, enabled, switched_off } = service;
  return { name, aliases, description, kind, enabled, switched_off };
}

function countsOf({ status, live, tally }: Now): Counts[] {
  return status.services.map((service): Counts => {
    const { name, sessions, served, refused, failed } = service;
    const now = live.services.get(name);
    return [
      sessions,
      served,
      refused,
      failed,
      service.bytes_in + (now?.bytesIn ?? 0),
      service.bytes_out + (now?.bytesOut ?? 0),
      failureOf(tally.services.get(name)),
    ];
  });
}

function failureOf(tally: ServiceTally | undefined): Counts[6] {
  if (tally?.lastFailure === undefined) return null;
  const { at, times, reason } = tally.lastFailure;
  return [at > tally.lastOpened, at, times, reason];
}

function rowOf(session: Recorded): Row {
  const { id, service, peer, begin, bytesIn, bytesOut } = session;
  return [
    id,
    service?.name ?? "",
    formatEndpoint(peer.remote),
    Math.round(Date.now() - (performance.now() - begin)),
    bytesIn,
    bytesOut,
  ];
}

function movedOf({ id, service, bytesIn, bytesOut }: Recorded): Moved {
  return [id, service?.name ?? "", bytesIn, bytesOut];
}

function hasNotMoved(
  { service, bytesIn, bytesOut }: Recorded,
  [, name, knownIn, knownOut]: Moved,
): boolean {
  return bytesIn === knownIn && bytesOut === knownOut &&
    name === (service?.name ?? "");
}
