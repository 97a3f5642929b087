/** What stands on the documented node:net alone, on each runtime. */
import { netListen } from "../src/transport/net/listen.ts";
import { pickTransport } from "../src/transport/pick.ts";
import type { Transport } from "../src/transport/transport.ts";
import { netConnect } from "../src/transport/net/connect.ts";
import { transportContract } from "./transport_contract.ts";

const transport = await pickTransport();
const { name, timers } = transport;

const net: Transport = {
  ...transport,
  abilities: { ...transport.abilities, reset: true },
  listen: (endpoint, options = {}) => netListen(endpoint, options, timers),
  connect: (endpoint, options = {}) => netConnect(endpoint, options, timers),
};

transportContract(net, `node:net on ${name}`, {
  ...(name === "bun" && {
    "what the peer of the over Unix":
      "Bun's node:net drops what lies unread when a write fails",
  }),
  ...(name === "deno" && {
    "a peer is alive after its end over Unix":
      "an empty write of Deno's node:net does not reach a Unix socket",
  }),
});
