import { type AddressInfo, createServer } from "node:net";
import { run } from "./run.ts";

/** The first message of openssl(1) as a client of TLS. */
export async function firstMessage(): Promise<Uint8Array> {
  const server = createServer();
  const got = new Promise<Uint8Array>((resolve) => {
    server.once("connection", (socket) => {
      socket.on("error", () => {});
      socket.once("data", (bytes) => {
        socket.destroy();
        resolve(Uint8Array.from(bytes as Uint8Array));
      });
    });
  });
  await new Promise<void>((resolve) =>
    server.listen(0, "127.0.0.1", () => resolve())
  );
  const at = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = run(["openssl", "s_client", "-connect", at]);
  const [hello] = await Promise.all([got, client]);
  server.close();
  return hello;
}
