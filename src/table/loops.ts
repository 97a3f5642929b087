/** Services of a table that lead back to themselves. */
import { resolve } from "node:path";
import { canonicalHost, type Endpoint, isLoopback } from "../endpoint.ts";
import type { ListenAddress } from "../parse_endpoint.ts";
import type { Problems } from "./problem.ts";
import { type ListenerSpec, type Service, upstreamPath } from "./service.ts";
import type { FirstBytes } from "./steps/first_bytes.ts";

/** What is asked of a table. */
interface Leading {
  readonly server: { readonly firstBytes: readonly FirstBytes[] | undefined };
  readonly services: readonly Service[];
  readonly listeners: readonly ListenerSpec[];
  readonly byName: ReadonlyMap<string, Service>;
}

/**
 * Adds problems for services that lead back to themselves, as far as the table
 * shows: each connection to one would open the next one, without end.
 */
export function addLoopProblems(table: Leading, problems: Problems): void {
  for (const service of table.services) {
    const names = roundTrip(table, service);
    if (names === undefined) continue;
    problems.add(
      upstreamPath(service, table.listeners),
      `makes a loop (${names.join(", ")}): this server itself listens there`,
    );
  }
  for (const { bytes, service } of table.server.firstBytes ?? []) {
    const found = table.byName.get(service.toUpperCase());
    // It sends these bytes on, and whom it sends them to takes them so again.
    if (found?.kind !== "connect" || !found.enabled) continue;
    const isLoop = found.upstreams.some((upstream) =>
      listenerAt(upstream, table)?.protocol === "tcpmux"
    );
    if (!isLoop) continue;
    problems.add(
      ["server", "first_bytes", String.fromCharCode(...bytes)],
      `makes a loop: ${found.name} leads to where this server itself listens`,
    );
  }
}

/** The services on the way from a service back to itself, if there is one. */
function roundTrip(table: Leading, from: Service): string[] | undefined {
  const names: string[] = [];
  let next: Service | undefined = from;
  while (next !== undefined && names.length <= table.services.length) {
    names.push(next.name);
    next = behind(table, next);
    if (next === from) return [...names, from.name];
  }
}

/** The service of this server that a service leads to, if there is one. */
function behind(table: Leading, service: Service): Service | undefined {
  if (service.kind !== "tcpmux" || !service.enabled) return undefined;
  const { upstream, remoteName } = service;
  const listener = listenerAt(upstream, table);
  if (listener?.protocol === "tcpmux") {
    return table.byName.get(remoteName.toUpperCase());
  }
  if (listener?.protocol === "forward") return listener.service;
}

/** The listener of this server that an upstream leads to, if there is one. */
function listenerAt(
  upstream: Endpoint,
  { listeners }: Leading,
): ListenerSpec | undefined {
  // Where the table names no address, the start finds out which port it is.
  return listeners.find(({ endpoint }) =>
    endpoint !== undefined && leadsTo(upstream, endpoint)
  );
}

/** Whether a connection to `upstream` arrives at `listener`. */
function leadsTo(upstream: Endpoint, listener: ListenAddress): boolean {
  if (listener.transport === "systemd") return false; // nobody can tell
  if (upstream.transport === "unix" || listener.transport === "unix") {
    return upstream.transport === "unix" && listener.transport === "unix" &&
      pathOf(upstream.path) === pathOf(listener.path);
  }
  if (upstream.port !== listener.port) return false;
  const [to, at] = [canonicalHost(upstream.host), canonicalHost(listener.host)];
  return to === at || isAny(at) && (isAny(to) || isLoopback(to)) ||
    isLoopback(at) && (isAny(to) || to === "localhost");
}

function pathOf(path: string): string {
  return path.startsWith("\0") ? path : resolve(path);
}

function isAny(host: string): boolean {
  return host === "::" || host === "0.0.0.0";
}
