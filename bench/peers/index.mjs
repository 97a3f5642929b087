// All peers, in the order in which they are shown.
import { peers as inetds } from "./inetds.mjs";
import { peers as limits } from "./limit.mjs";
import { peers as plain } from "./plain.mjs";
import { peers as relays } from "./relays.mjs";
import { peers as ours } from "./tcpmux.mjs";

export const PEERS = [...limits, ...ours, ...plain, ...relays, ...inetds];

/** Those of the short form. */
export const SHORT_PEERS = ["c", "bun", "deno", "node"];

export const titleOf = (id) => PEERS.find((peer) => peer.id === id)?.title;
