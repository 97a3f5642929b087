/** What can be asked for at the control socket, and what is answered. */
import { codeOf, type ErrorCode, messageOf, TcpmuxError } from "../errors.ts";
import { AddressSet, PREFIX_FORM, readPrefixes } from "../policy/access.ts";
import type { Recorded } from "../record.ts";
import type { SessionStatus, Status } from "../status/status.ts";
import { TableError } from "../table/problem.ts";
import type { Service } from "../table/service.ts";
import {
  type Answering,
  type ControlReply,
  type ControlRequest,
  failure,
} from "./control_socket.ts";

/** The server that is controlled. */
export interface Controlled {
  /** Whether it serves already. */
  readonly isReady: () => boolean;
  readonly status: () => Status;
  readonly sessions: () => SessionStatus[];
  /** @throws {TableError | TcpmuxError} and the old table stays in force */
  readonly reload: () => Promise<void>;
  /** @returns how many sessions were ended */
  readonly endSessions: (matches: (session: Recorded) => boolean) => number;
  /** @returns undefined where there is no such service */
  readonly switchService: (
    name: string,
    to: "on" | "off",
  ) => Service | undefined;
  /**
   * Accepts no more; the process ends with the last session. Changes nothing
   * where the server is stopping already.
   */
  readonly drain: () => void;
  /** Says in the log that something was done. */
  readonly note: (
    command: string,
    fields?: Readonly<Record<string, string | number>>,
  ) => void;
}

const STATUS_OF: Partial<Record<ErrorCode, number>> = {
  busy: 503,
  invalid_table: 422,
  permission_denied: 403,
  refused: 404,
  unsupported: 405,
  usage: 400,
};

/** The answers for a server. */
export function answersOf(server: Controlled): Answering {
  return async (request) => {
    try {
      if (!server.isReady()) {
        throw new TcpmuxError("busy", "the server is starting: try again");
      }
      return await route(request, server);
    } catch (error) {
      const code = codeOf(error);
      const reply = failure(STATUS_OF[code] ?? 409, code, messageOf(error));
      if (!(error instanceof TableError)) return reply;
      const { message, problems } = error;
      return { ...reply, body: { error: { code, message, problems } } };
    }
  };
}

/** @throws {TcpmuxError} `refused` for what is not there */
async function route(
  request: ControlRequest,
  server: Controlled,
): Promise<ControlReply> {
  const { path, body, query } = request;
  const [, name, to] = /^\/services\/([^/]+)\/(enable|disable)$/.exec(path) ??
    [];
  if (name !== undefined) {
    needsMethod("POST", request);
    return done(switched(decoded(name), to as "enable" | "disable", server));
  }
  switch (path) {
    case "/status":
      needsMethod("GET", request);
      return done(server.status());
    case "/sessions":
      needsMethod("GET", request);
      return done(server.sessions());
    case "/reload": {
      needsMethod("POST", request);
      server.note("reload");
      await server.reload();
      const { table, services } = server.status();
      return done({ table, services: services.length });
    }
    case "/kill":
      needsMethod("POST", request);
      return done({ ended: kill(body, server) });
    case "/drain": {
      needsMethod("POST", request);
      server.note("drain");
      const { sessions } = server.status();
      return {
        ...done({ sessions }),
        lasts: query.has("wait"),
        // Behind the reply: the process may end at once.
        after: server.drain,
      };
    }
    default:
      throw new TcpmuxError("refused", `there is no ${path} here`);
  }
}

function done(body: unknown): ControlReply {
  return { status: 200, body };
}

/** @throws {TcpmuxError} */
function needsMethod(needed: string, { method, path }: ControlRequest): void {
  if (method === needed) return;
  throw new TcpmuxError("unsupported", `${path} takes ${needed}`);
}

/** A segment of a path. @throws {TcpmuxError} */
function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new TcpmuxError("usage", "the path is not well encoded");
  }
}

/** @throws {TcpmuxError} where there is no such service */
function switched(
  name: string,
  command: "enable" | "disable",
  server: Controlled,
): { readonly service: string } {
  const service = server.switchService(
    name,
    command === "enable" ? "on" : "off",
  );
  if (service === undefined) {
    throw new TcpmuxError(
      "refused",
      `no service is called ${JSON.stringify(name)}`,
    );
  }
  if (command === "enable" && !service.enabled) {
    throw new TcpmuxError(
      "refused",
      `the table has enabled = false for ${service.name}: change that, and ` +
        "reload",
    );
  }
  server.note(command, { service: service.name });
  return { service: service.name };
}

/** Which sessions are to end. */
interface Meant {
  readonly id?: number;
  readonly service?: string;
  readonly source?: string;
}

/** @throws {TcpmuxError} where it is not all understood: less would end more */
function readMeant(body: unknown): Meant {
  const problem = problemOf((body ?? {}) as Record<string, unknown>);
  if (problem === undefined) return body as Meant;
  throw new TcpmuxError(
    "usage",
    `kill ${problem} (give {"id": NUMBER}, or "service" and "source", one or ` +
      "both)",
  );
}

function problemOf(
  { id, service, source, ...others }: Readonly<Record<string, unknown>>,
): string | undefined {
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) return `does not know ${JSON.stringify(unknown)}`;
  const rest = [service, source].filter((one) => one !== undefined);
  if (rest.some((one) => typeof one !== "string")) {
    return 'takes "service" and "source" as text';
  }
  if (id !== undefined && !Number.isSafeInteger(id)) {
    return `takes no "id" ${JSON.stringify(id)}`;
  }
  const isOneWay = (id === undefined) !== (rest.length === 0);
  return isOneWay ? undefined : 'takes either "id" or others';
}

/** @throws {TcpmuxError} where no session is meant, or where there is none */
function kill(body: unknown, server: Controlled): number {
  const given = readMeant(body);
  const { id, service, source } = given;
  const conditions = [
    ...id === undefined ? [] : [(session: Recorded) => session.id === id],
    ...service === undefined ? [] : [isOf(service)],
    ...source === undefined ? [] : [isFrom(source)],
  ];
  const ended = server.endSessions((session) =>
    conditions.every((holds) => holds(session))
  );
  if (ended === 0) {
    const words = Object.entries(given).map(([key, value]) =>
      `${key} ${JSON.stringify(value)}`
    );
    throw new TcpmuxError("refused", `no session has ${words.join(" and ")}`);
  }
  server.note("kill", { ...given, sessions: ended });
  return ended;
}

/** By the name or an alias that the service had when the session began. */
function isOf(asked: string): (session: Recorded) => boolean {
  const wanted = asked.toUpperCase();
  return ({ service }) =>
    service !== undefined &&
    [service.name, ...service.aliases].some((name) =>
      name.toUpperCase() === wanted
    );
}

/** Clients of Unix sockets have no address, and are never meant. */
function isFrom(text: string): (session: Recorded) => boolean {
  const prefixes = readPrefixes(text);
  if (typeof prefixes === "string") {
    throw new TcpmuxError(
      "usage",
      `${JSON.stringify(text)} is not ${PREFIX_FORM} (${prefixes})`,
    );
  }
  const source = new AddressSet(prefixes);
  return ({ peer: { remote } }) =>
    remote.transport === "tcp" && source.has(remote.host);
}
