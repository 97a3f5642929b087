/** TLS on each runtime, held to the contract of transports. */
import { pickTransport } from "../src/transport/pick.ts";
import { tlsTransport } from "./support/tls_transport.ts";
import { transportContract } from "./transport_contract.ts";

const transport = await pickTransport();

const { name } = transport;

transportContract(await tlsTransport(transport), `TLS on ${name}`, {
  "sockets and pipes":
    "TLS is inside a connection, and has no shorter way than read and write",
  "a peer is alive after its end":
    "an empty write in TLS does not reach the system",
  "abort resets the peer":
    "TLS ends without close_notify, which a reset would not say better",
  ...(name !== "bun" && {
    "close delivers what was written before":
      "what TLS 1.3 sends behind a handshake is unread by a client that closes " +
      "at once, and resets the connection",
  }),
  ...(name === "node" && {
    "what the peer of the":
      "Node's TLS drops what lies unread when a write fails",
  }),
  ...(name === "deno" && {
    "a write under way ends when either side aborts":
      "Deno's TLS takes a write as a whole, and calls it done",
  }),
});
