import type { Endpoint } from "./endpoint.ts";
import { Problems } from "./table/problem.ts";
import type { Service } from "./table/service.ts";
import type { Table } from "./table/table.ts";
import type { Transport } from "./transport/transport.ts";

/**
 * Whether this runtime, as it was started, can offer all that a table asks.
 *
 * @throws {TableError} naming each key that it cannot offer
 */
export function checkRequirements(
  table: Table,
  { name, abilities }: Transport,
  file?: string,
): void {
  const problems = new Problems(file);
  const cure = name === "deno"
    ? "Deno was started without the permission (start it with deno run -A)"
    : `there are none on the ${name} transport`;
  if (!abilities.unix && table.server.listen?.some(isUnix)) {
    problems.add(["server", "listen"], `needs Unix sockets: ${cure}`);
  }
  for (const service of table.services.filter(({ enabled }) => enabled)) {
    const path = ["services", service.name, service.kind];
    if (service.kind === "exec" && !abilities.programs) {
      problems.add(path, `needs to start programs: ${cure}`);
    }
    if (!abilities.unix && upstreamsOf(service).some(isUnix)) {
      problems.add(path, `needs Unix sockets: ${cure}`);
    }
  }
  problems.throwIfAny();
}

function upstreamsOf(service: Service): readonly Endpoint[] {
  if (service.kind === "connect") return service.upstreams;
  return service.kind === "tcpmux" ? [service.upstream] : [];
}

function isUnix(endpoint: Endpoint): boolean {
  return endpoint.transport === "unix";
}
