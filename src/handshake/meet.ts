import type { Door } from "../table/door.ts";
import { FixedHandshake } from "./fixed.ts";
import type { Handshake } from "./handshake.ts";
import { NamedHandshake } from "./named.ts";
import { ProxyHandshake } from "./proxy.ts";

/** It keeps nothing of a client, so that one does for all. */
const NAMED = new NamedHandshake();

/** The handshake for one client that has come through this door. */
export function handshakeAt(door: Door): Handshake {
  switch (door.manner) {
    case "named":
      return NAMED;
    case "fixed":
      return new FixedHandshake(door.service);
    case "proxy":
      return new ProxyHandshake(door);
  }
}
