/** The file of `tcpmux forward`: what it may hold, and the table it makes. */
import * as z from "zod";
import { type Endpoint, formatEndpoint } from "../endpoint.ts";
import { readDocument } from "./document.ts";
import { type ForwardListener, listenerKey } from "./listener.ts";
import { LOCAL_FORMS, readLocal, readServer, SERVER_FORMS } from "./local.ts";
import type { Problems } from "./problem.ts";
import { resolveServer, resolveService } from "./resolve.ts";
import { NAME_RULE, nameSchema } from "./schema.ts";
import { serverSchema } from "./server_schema.ts";
import type { TcpmuxService } from "./service.ts";
import { type ServerSettings, Table } from "./table.ts";
import { asObject, onlyKeys, validated } from "./validate.ts";
import { duration, list, transformed } from "./values.ts";

const local = transformed(readLocal, LOCAL_FORMS, "An address.");
const server = transformed(readServer, SERVER_FORMS, "A TCPMUX server.");

export const settingsSchema = serverSchema.pick({
  connect_timeout: true,
  idle_timeout: true,
  drain_timeout: true,
  max_duration: true,
  max_connections: true,
  max_connections_per_source: true,
  rate_per_source: true,
  ipv6_source_prefix: true,
  allow: true,
  deny: true,
  log: true,
}).extend({ default_server: server.optional() });

export const forwardSchema = z.strictObject({
  listen: z.union([
    local,
    list(local, "Several.").min(1, { error: "at least one address" }),
  ]),
  server: server.optional(),
  service: nameSchema.optional(),
  connect_timeout: duration("To reach the server.").optional(),
  idle_timeout: duration("Without a byte either way.").optional(),
});

/** What the command line says, which goes before what the file says. */
export interface ForwardOptions {
  /** The server of forwards that name none. */
  readonly server?: Endpoint | undefined;
  /** What it makes of the settings of `[server]`. */
  readonly settings: (said: ServerSettings) => ServerSettings;
}

/** Clients of one machine share its address, which has no limit of its own. */
export function resolveLocal(
  valid: Parameters<typeof resolveServer>[0],
): ServerSettings {
  return resolveServer({ max_connections_per_source: 0, ...valid });
}

/**
 * Reads the forwards of a file: `[forward.NAME]`, and `[server]` for all.
 *
 * @throws {TableError} with every problem, each with its line
 */
export function parseForwards(
  text: string,
  file: string,
  options: ForwardOptions,
): Table {
  const { value, problems } = readDocument(text, file);
  onlyKeys(value, ["server", "forward"], problems);
  const above = asObject(value["server"] ?? {}, ["server"], problems);
  const valid = validated(settingsSchema, above, ["server"], problems) ?? {};
  const settings = options.settings(resolveLocal(valid));
  const fallback = options.server ?? valid.default_server;
  const entries = asObject(value["forward"] ?? {}, ["forward"], problems);
  if (Object.keys(entries).length === 0) {
    problems.add(["forward"], "is empty; needed: a table [forward.NAME]");
  }
  const listeners = Object.entries(entries).flatMap(([name, entry]) =>
    listenersOf(name, entry, settings, fallback, problems)
  );
  checkAddresses(listeners, problems);
  problems.throwIfAny();
  // Objects move keys such as "7" to their front: the file tells the order.
  const line = ({ service }: ForwardListener) =>
    problems.lineOf(["forward", service.name]) ?? 0;
  return forwardTable(
    listeners.toSorted((a, b) => line(a) - line(b)),
    settings,
  );
}

function listenersOf(
  name: string,
  entry: unknown,
  settings: ServerSettings,
  fallback: Endpoint | undefined,
  problems: Problems,
): ForwardListener[] {
  const path = ["forward", name];
  if (!nameSchema.safeParse(name).success) {
    problems.add(path, `is no name for a service; allowed: ${NAME_RULE}`);
  }
  const before = problems.all.length;
  const object = asObject(entry, path, problems);
  if (problems.all.length > before) return [];
  const valid = validated(forwardSchema, object, path, problems);
  if (valid === undefined) return [];
  const upstream = valid.server ?? fallback;
  if (upstream === undefined) {
    problems.add(
      path,
      `needs server, here or as default_server in [server]: ${SERVER_FORMS}`,
    );
    return [];
  }
  const remoteName = valid.service ?? name;
  const { listen, connect_timeout, idle_timeout } = valid;
  const service = forwardService(name, upstream, remoteName, settings, {
    connect_timeout,
    idle_timeout,
  });
  return (Array.isArray(listen) ? listen : [listen])
    .map((endpoint) => ({ protocol: "forward", endpoint, service }));
}

/** A service of another server, as the kind `tcpmux` of a service table. */
export function forwardService(
  name: string,
  upstream: Endpoint,
  remoteName: string,
  settings: ServerSettings,
  times: { connect_timeout?: number; idle_timeout?: number } = {},
): TcpmuxService {
  const valid = { tcpmux: { upstream, remoteName }, ...times };
  return resolveService(name, "tcpmux", valid, settings) as TcpmuxService;
}

/** A table of listeners that lead to one service each. */
export function forwardTable(
  listeners: readonly ForwardListener[],
  settings: ServerSettings,
): Table {
  const services = [...new Set(listeners.map(({ service }) => service))];
  return new Table(settings, services, listeners);
}

/** No address may lead to two services. */
function checkAddresses(
  listeners: readonly ForwardListener[],
  problems: Problems,
): void {
  const owners = new Map<string, string>();
  for (const listener of listeners) {
    const { name } = listener.service;
    const owner = owners.get(listenerKey(listener));
    if (owner !== undefined) {
      problems.add(
        ["forward", name, "listen"],
        `${
          formatEndpoint(listener.endpoint)
        } is taken already by the forward ` +
          owner,
      );
    }
    owners.set(listenerKey(listener), name);
  }
}
