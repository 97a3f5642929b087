import type { Endpoint } from "../endpoint.ts";
import type { ListenerSpec } from "./listener.ts";
import { Problems } from "./problem.ts";
import type { Service } from "./service.ts";
import type { Table } from "./table.ts";
import type { Abilities, Transport } from "../transport/transport.ts";

/**
 * Checks that this runtime, with the permissions that it has, can serve a
 * table.
 *
 * @throws {TableError} that names each key for which something is missing
 */
export function checkRequirements(
  table: Table,
  { name, abilities }: Transport,
  file?: string,
): void {
  const problems = new Problems(file, table.located);
  const cure = name === "deno"
    ? "Deno was started without the permission (start it with deno run -A)"
    : `there are none on the ${name} transport`;
  addSocketProblems(table, name, abilities, problems);
  for (const listener of table.listeners) {
    if (abilities.unix || listener.endpoint?.transport !== "unix") continue;
    problems.add(
      [...placeOf(listener), "listen"],
      `needs Unix sockets: ${cure}`,
    );
  }
  for (const service of table.services.filter(({ enabled }) => enabled)) {
    const listener = table.listeners.find((listener) =>
      listener.protocol !== "tcpmux" && listener.service === service
    );
    const path = listener === undefined
      ? ["services", service.name, service.kind]
      : [...placeOf(listener), "server"];
    if (service.kind === "exec" && !abilities.programs) {
      problems.add(path, `needs to start programs: ${cure}`);
    }
    if (!abilities.unix && upstreamsOf(service).some(isUnix)) {
      problems.add(path, `needs Unix sockets: ${cure}`);
    }
  }
  problems.throwIfAny();
}

/**
 * Checks only what no permission changes: `tcpmux check` runs with other
 * permissions than the server.
 *
 * @throws {TableError} as {@linkcode checkRequirements} does
 */
export function checkRuntime(
  table: Table,
  { name, abilities }: Transport,
  file?: string,
): void {
  const problems = new Problems(file, table.located);
  addSocketProblems(table, name, abilities, problems);
  problems.throwIfAny();
}

function addSocketProblems(
  table: Table,
  name: Transport["name"],
  abilities: Abilities,
  problems: Problems,
): void {
  if (abilities.socketStdio) return;
  const who = name === "deno" ? "Deno cannot" : `the ${name} transport cannot`;
  for (const service of table.services) {
    if (!service.enabled || service.kind !== "exec") continue;
    if (service.stdio !== "socket") continue;
    problems.add(
      ["services", service.name, "stdio"],
      `${who} hand a socket to a program: serve this table on Bun or ` +
        "Node, or take the key out (the program gets pipes then)",
    );
  }
}

/** The path of the table, in the file, that defines a listener. */
function placeOf(listener: ListenerSpec): string[] {
  if (listener.protocol === "forward") {
    return ["forward", listener.service.name];
  }
  return [listener.protocol === "proxy" ? "proxy" : "server"];
}

function upstreamsOf(service: Service): readonly Endpoint[] {
  if (service.kind === "connect") return service.upstreams;
  return service.kind === "tcpmux" ? [service.upstream] : [];
}

function isUnix(endpoint: Endpoint): boolean {
  return endpoint.transport === "unix";
}
