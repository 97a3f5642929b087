import { describe, test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { ClientConn } from "../src/client_conn.ts";
import { ProxyHandshake } from "../src/handshake/proxy.ts";
import { buildTable } from "../src/table/parse.ts";
import type { TcpmuxService } from "../src/table/service.ts";
import { memoryTransport } from "../src/transport/memory.ts";
import type { Conn } from "../src/transport/transport.ts";
import { bytes, readSome, text } from "./support/bytes.ts";

const [service] = buildTable({
  services: { any: { tcpmux: "127.0.0.1:1/any" } },
}).services;

/** A client, and the server's side of its connection. */
async function pair(): Promise<{ client: Conn; server: ClientConn }> {
  const transport = memoryTransport();
  const any = { transport: "tcp", host: "127.0.0.1", port: 0 } as const;
  const listener = await transport.listen(any);
  const client = await transport.connect(listener.endpoint);
  const server = new ClientConn((await listener.accept())!);
  listener.close();
  return { client, server };
}

function handshake(): ProxyHandshake {
  return new ProxyHandshake({
    protocol: "proxy",
    endpoint: { transport: "tcp", host: "127.0.0.1", port: 0 },
    service: service as TcpmuxService,
    suffix: "",
  });
}

const draining = new AbortController().signal;

describe("ProxyHandshake", () => {
  for (
    const [what, begun, answer] of [
      ["nobody who says nothing", "", ""],
      ["HTTP", "CONNECT echo", "HTTP/1.1 408 Request Timeout\r\n"],
      ["SOCKS", "\x05\x01\0\x05\x01", "\x05\x01\0\x01"],
    ] as const
  ) {
    test(`answers ${what} when the time is over`, async () => {
      const { client, server } = await pair();
      const shaking = handshake();
      if (begun !== "") await client.write(bytes(begun));
      const heard = await shaking.hear(server, { timeout: 50, draining });
      assert(heard.kind === "refuse");
      assertEquals(
        [heard.outcome, heard.reason],
        ["timeout", "no request within handshake_timeout"],
      );
      const refused = text(shaking.refused(heard));
      assertEquals(refused.slice(0, answer.length), answer);
      if (answer === "") assertEquals(refused, "");
      client.close();
      server.close();
    });
  }

  test("hears a name, and asks the one server for it", async () => {
    const { client, server } = await pair();
    const shaking = handshake();
    await client.write(bytes("CONNECT Other:1 HTTP/1.1\r\n\r\nearly"));
    const heard = await shaking.hear(server, { timeout: 0, draining });
    assert(heard.kind === "serve");
    assertEquals(heard.service, {
      ...service!,
      name: "Other",
      remoteName: "Other",
    } as TcpmuxService);
    assertEquals(await readSome(server, 5), "early");
    assertEquals(text(shaking.accepted()).slice(0, 12), "HTTP/1.1 200");
    client.close();
    server.close();
  });

  test("says nothing to who came and went", async () => {
    const { client, server } = await pair();
    await client.closeWrite();
    const heard = await handshake().hear(server, { timeout: 0, draining });
    assertEquals(heard.kind, "silence");
    client.close();
    server.close();
  });
});
