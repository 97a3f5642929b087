import { type Endpoint, formatEndpoint } from "../endpoint.ts";
import type { TcpmuxService } from "./service.ts";

/** An address to listen on, and how who comes there gets to a service. */
export type ListenerSpec = TcpmuxListener | ForwardListener | ProxyListener;

/** The client names a service, as RFC 1078 has it. */
export interface TcpmuxListener {
  readonly protocol: "tcpmux";
  /** Undefined for the default: port 1, or 1078 without rights. */
  readonly endpoint: Endpoint | undefined;
}

/** All that come here get the same service, and hear no word of TCPMUX. */
export interface ForwardListener {
  readonly protocol: "forward";
  readonly endpoint: Endpoint;
  readonly service: TcpmuxService;
}

/** SOCKS5 and HTTP: the host that is asked for is the service's name. */
export interface ProxyListener {
  readonly protocol: "proxy";
  readonly endpoint: Endpoint;
  /** A service of the one server that is reached, under whichever name. */
  readonly service: TcpmuxService;
  /** What may stand behind a name, as `.mux`; empty for nothing. */
  readonly suffix: string;
}

/**
 * What makes it the same listener after a reload: its address. Port 0 is another
 * port for each service, so the service's name is part of it there.
 */
export function listenerKey(listener: ListenerSpec): string {
  if (listener.endpoint === undefined) return "default";
  const address = formatEndpoint(listener.endpoint);
  const any = listener.endpoint.transport === "tcp" &&
    listener.endpoint.port === 0;
  return any && listener.protocol !== "tcpmux"
    ? `${address} ${listener.service.name}`
    : address;
}
