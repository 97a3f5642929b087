/** TLS on each runtime, held to the contract of transports. */
import { describe, test } from "node:test";
import { assertEquals } from "@std/assert";
import { acceptTls } from "../src/transport/net/tls/accept.ts";
import { netListen } from "../src/transport/net/listen.ts";
import { pickTransport } from "../src/transport/pick.ts";
import { firstMessage } from "./support/first_message.ts";
import { needs } from "./support/needs.ts";
import { rejectsWith } from "./support/rejects.ts";
import { helloOf, tlsOptions, tlsTransport } from "./support/tls_transport.ts";
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

describe(
  `TLS on ${name}, where the client has ended its side`,
  needs("openssl"),
  () => {
    test("before it begins, is refused at once", async () => {
      const at = { transport: "tcp", host: "127.0.0.1", port: 0 } as const;
      const listener = await netListen(at, {}, transport.timers);
      const client = await transport.connect(listener.endpoint).conn;
      const conn = (await listener.accept())!;
      await client.write(await firstMessage());
      const hello = await helloOf(conn);
      await client.closeWrite();
      assertEquals(await conn.read(), null);
      const options = await tlsOptions();
      await rejectsWith("protocol", () => acceptTls(conn, hello, options));
      for (const one of [conn, client, listener]) one.close();
    });
  },
);
