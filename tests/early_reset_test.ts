/** Clients that are gone again before the server has looked at them. */
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { pickTransport } from "../src/transport/pick.ts";
import type { Conn } from "../src/transport/transport.ts";
import { needs } from "./support/needs.ts";

const transport = await pickTransport();

/** Connects and resets at once, so many times; in Perl: Deno cannot reset. */
const RESETS = `
  use Socket;
  my ($port, $count) = @ARGV;
  for (1 .. $count) {
    socket(my $s, PF_INET, SOCK_STREAM, 0) or die;
    connect($s, sockaddr_in($port, INADDR_LOOPBACK)) or die;
    setsockopt($s, SOL_SOCKET, SO_LINGER, pack("ii", 1, 0)) or die;
    close($s);
  }`;

test("a reset before accept() is nobody's error", needs("perl"), async () => {
  const host = "127.0.0.1";
  const listener = await transport.listen({ transport: "tcp", host, port: 0 });
  const { endpoint } = listener;
  assert(endpoint.transport === "tcp");
  // Synchronous: nothing is accepted before all of them are reset.
  const words = ["-e", RESETS, String(endpoint.port), "20"];
  assertEquals(spawnSync("perl", words).status, 0);
  const client = await transport.connect(endpoint).conn;
  const port = portOf(client.local);
  let conn: Conn | null;
  while (portOf((conn = await listener.accept())!.remote) !== port) {
    conn!.abort(); // a runtime may show those too
  }
  conn!.close();
  client.close();
  listener.close();
});

function portOf(end: Conn["local"]): number {
  return end.transport === "tcp" ? end.port : 0;
}
