import { type Endpoint, tcpEnd } from "../../endpoint.ts";

/** An address as Deno has it. */
export type DenoAddress =
  | { transport: "tcp"; hostname: string; port: number }
  | { transport: "unix"; path: string };

export function toDeno(endpoint: Endpoint): DenoAddress {
  return endpoint.transport === "unix"
    ? { transport: "unix", path: endpoint.path }
    : { transport: "tcp", hostname: endpoint.host, port: endpoint.port };
}

export function fromDeno(address: DenoAddress): Endpoint {
  return address.transport === "unix"
    ? { transport: "unix", path: address.path ?? "" }
    : tcpEnd(address.hostname, address.port);
}
