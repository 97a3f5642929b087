import { type Endpoint, formatEndpoint } from "../endpoint.ts";
import type { TcpmuxService } from "./service.ts";

/** An address to listen on, and how who comes there gets to a service. */
export type Door = NamedDoor | FixedDoor | ProxyDoor;

/** The client names a service, as RFC 1078 has it. */
export interface NamedDoor {
  readonly manner: "named";
  /** Undefined for the default: port 1, or 1078 without rights. */
  readonly endpoint: Endpoint | undefined;
}

/** All that come here get the same service, and hear no word of TCPMUX. */
export interface FixedDoor {
  readonly manner: "fixed";
  readonly endpoint: Endpoint;
  readonly service: TcpmuxService;
}

/** SOCKS5 and HTTP: the host that is asked for is the service's name. */
export interface ProxyDoor {
  readonly manner: "proxy";
  readonly endpoint: Endpoint;
  /** A service of the one server that is reached, under whichever name. */
  readonly service: TcpmuxService;
  /** What may stand behind a name, as `.mux`; empty for nothing. */
  readonly suffix: string;
}

/**
 * What makes it the same door after a reload: its address. Port 0 is another
 * port for each service, so the service's name is part of it there.
 */
export function doorKey(door: Door): string {
  if (door.endpoint === undefined) return "default";
  const address = formatEndpoint(door.endpoint);
  const any = door.endpoint.transport === "tcp" && door.endpoint.port === 0;
  return any && door.manner !== "named"
    ? `${address} ${door.service.name}`
    : address;
}
