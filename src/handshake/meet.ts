import type { ListenerSpec } from "../table/listener.ts";
import { FixedHandshake } from "./forward.ts";
import type { Handshake } from "./handshake.ts";
import { NamedHandshake } from "./tcpmux.ts";
import { ProxyHandshake } from "./proxy.ts";

/** It keeps nothing of a client, so that one does for all. */
const NAMED = new NamedHandshake();

/** The handshake for one client that has come through this listener. */
export function handshakeAt(listener: ListenerSpec): Handshake {
  switch (listener.protocol) {
    case "tcpmux":
      return NAMED;
    case "forward":
      return new FixedHandshake(listener.service);
    case "proxy":
      return new ProxyHandshake(listener);
  }
}
