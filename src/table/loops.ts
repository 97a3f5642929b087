import { resolve } from "node:path";
import { type Endpoint, formatEndpoint } from "../endpoint.ts";
import { Problems } from "./problem.ts";
import type { Service } from "./service.ts";
import type { Table } from "./table.ts";

/**
 * Finds services that lead back to themselves, as far as the table shows: each
 * connection to such a service would open the next one, without end.
 *
 * @throws {TableError} that names each such service
 */
export function checkLoops(table: Table, file?: string): void {
  const problems = new Problems(file, table.located);
  for (const service of table.services) {
    const names = roundTrip(table, service);
    if (names === undefined) continue;
    const isForward = table.listeners.some((listener) =>
      listener.protocol === "forward" && listener.service === service
    );
    problems.add(
      isForward
        ? ["forward", service.name, "server"]
        : ["services", service.name, "tcpmux"],
      `leads back to itself (${names.join(", ")}): this server listens there`,
    );
  }
  problems.throwIfAny();
}

/** The services on the way from a service back to itself, if there is one. */
function roundTrip(table: Table, from: Service): string[] | undefined {
  const names: string[] = [];
  let next: Service | undefined = from;
  while (next !== undefined && names.length <= table.services.length) {
    names.push(next.name);
    next = behind(table, next);
    if (next === from) return [...names, from.name];
  }
}

/** The service of this server that a service leads to, if there is one. */
function behind(table: Table, service: Service): Service | undefined {
  if (service.kind !== "tcpmux" || !service.enabled) return undefined;
  const { upstream, remoteName } = service;
  const listener = table.listeners.find(({ endpoint }) =>
    endpoint !== undefined && leadsTo(upstream, endpoint)
  );
  if (listener?.protocol === "tcpmux") return table.find(remoteName);
  if (listener?.protocol === "forward") return listener.service;
}

/** Whether a connection to `upstream` arrives at `listener`, as both are written. */
function leadsTo(upstream: Endpoint, listener: Endpoint): boolean {
  if (upstream.transport === "unix" || listener.transport === "unix") {
    return upstream.transport === "unix" && listener.transport === "unix" &&
      pathOf(upstream.path) === pathOf(listener.path);
  }
  if (upstream.port !== listener.port) return false;
  return formatEndpoint(upstream) === formatEndpoint(listener) ||
    isAny(listener.host) &&
      (isAny(upstream.host) || isLoopback(upstream.host)) ||
    isLoopback(listener.host) && upstream.host === "localhost";
}

function pathOf(path: string): string {
  return path.startsWith("\0") ? path : resolve(path);
}

function isAny(host: string): boolean {
  return host === "::" || host === "0.0.0.0";
}

function isLoopback(host: string): boolean {
  return host === "::1" || host === "localhost" || /^127\./.test(host);
}
