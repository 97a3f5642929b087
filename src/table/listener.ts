import { type Endpoint, formatEndpoint } from "../endpoint.ts";
import type { TcpmuxService } from "./service.ts";

/** An address to listen on, and how its clients get to a service. */
export type ListenerSpec = TcpmuxListener | ForwardListener | ProxyListener;

/** The client names the service in its service line (RFC 1078). */
export interface TcpmuxListener {
  readonly protocol: "tcpmux";
  /** Undefined for port 1, or 1078 where port 1 is not permitted. */
  readonly endpoint: Endpoint | undefined;
}

/** Every client gets the same service, without a service line or a reply. */
export interface ForwardListener {
  readonly protocol: "forward";
  readonly endpoint: Endpoint;
  readonly service: TcpmuxService;
}

/** SOCKS5 and HTTP: the host that the client asks for names the service. */
export interface ProxyListener {
  readonly protocol: "proxy";
  readonly endpoint: Endpoint;
  /** The service of every session, but for its name: clients give that. */
  readonly service: TcpmuxService;
  /** A suffix that a name may have, such as `.mux`; empty for none. */
  readonly suffix: string;
}

/**
 * A key by which a reload finds a listener again: its address. With port 0 the
 * system chooses a port for each service, so the service's name is part of it.
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
