/**
 * Listens on a link-local address and on all addresses, connects to both, and
 * prints both ends of each connection from both sides. A program, for a network
 * whose loopback interface has fe80::1.
 */
import process from "node:process";
import type { Endpoint } from "../../src/endpoint.ts";
import { pickTransport } from "../../src/transport/pick.ts";
import type { Conn } from "../../src/transport/transport.ts";

const transport = await pickTransport();
const hostOf = (end: Endpoint) => end.transport === "tcp" ? end.host : "";
const hosts = ({ local, remote }: Conn) => `${hostOf(local)} ${hostOf(remote)}`;

for (const host of ["fe80::1%lo", "::"]) {
  const listener = await transport.listen({ transport: "tcp", host, port: 0 });
  const { port } = listener.endpoint as { port: number };
  const to = { transport: "tcp", host: "fe80::1%lo", port } as const;
  const [client, server] = await Promise.all([
    transport.connect(to).conn,
    listener.accept(),
  ]);
  console.log(hostOf(listener.endpoint), hosts(client), hosts(server!));
}
process.exit();
