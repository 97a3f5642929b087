import { type AddressInfo, connect, createServer } from "node:net";

/** A relay to a server, and what the server has sent by it to its client. */
export async function withTap(
  port: number,
  use: (port: number) => Promise<unknown>,
): Promise<Uint8Array> {
  const sent: Uint8Array[] = [];
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  const relay = createServer({ allowHalfOpen: true }, (client) => {
    const host = "127.0.0.1";
    const server = connect({ host, port, allowHalfOpen: true });
    server.on("data", (bytes: Uint8Array) => sent.push(bytes));
    server.once("close", () => resolve());
    for (const socket of [client, server]) {
      socket.on("error", () => socket.destroy());
    }
    client.pipe(server).pipe(client);
  });
  await new Promise<void>((ready) => relay.listen(0, "127.0.0.1", ready));
  try {
    await use((relay.address() as AddressInfo).port);
    await ended;
    return Buffer.concat(sent);
  } finally {
    relay.close();
  }
}
