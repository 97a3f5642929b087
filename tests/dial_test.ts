import { describe, test } from "node:test";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { dial } from "../src/dial.ts";
import type { Endpoint } from "../src/endpoint.ts";
import { TcpmuxError } from "../src/errors.ts";
import { memoryPair, memoryTransport } from "../src/transport/memory.ts";
import { pickTransport } from "../src/transport/pick.ts";
import type { Conn, Transport } from "../src/transport/transport.ts";
import { bytes, readAll } from "./support/bytes.ts";

const real = await pickTransport();

function tcp(host: string, port: number): Endpoint {
  return { transport: "tcp", host, port };
}

/** A transport that answers at some hosts only, and remembers all. */
function answering(...hosts: string[]): Transport & { asked: string[] } {
  const asked: string[] = [];
  return {
    ...memoryTransport(),
    asked,
    connect(endpoint): Promise<Conn> {
      const host = endpoint.transport === "tcp" ? endpoint.host : endpoint.path;
      asked.push(host);
      if (hosts.includes(host)) {
        return Promise.resolve(memoryPair(tcp("x", 1), endpoint)[0]);
      }
      return Promise.reject(
        new TcpmuxError("connection_refused", `${host} refused`),
      );
    },
  };
}

describe("dial", () => {
  for (const [name, host] of [["localhost", "127.0.0.1"], ["::1", "::1"]]) {
    test(`reaches ${name} where ${host} alone listens`, async () => {
      const listener = await real.listen(tcp(host!, 0));
      const { port } = listener.endpoint as { port: number };
      const [conn, accepted] = await Promise.all([
        dial(real, tcp(name!, port)),
        listener.accept(),
      ]);
      await conn.write(bytes("hello"));
      conn.close();
      assertEquals(await readAll(accepted!), "hello");
      accepted!.close();
      listener.close();
    });
  }

  test("goes on to the next address of a name", async () => {
    const transport = answering("127.0.0.1");
    const conn = await dial(transport, tcp("localhost", 1));
    assertEquals(transport.asked.at(-1), "127.0.0.1");
    assert(!transport.asked.includes("localhost"), "a name was passed on");
    conn.close();
  });

  test("says what each address of a name said", async () => {
    const transport = answering();
    const error = await assertRejects(
      () => dial(transport, tcp("localhost", 7)),
      TcpmuxError,
      "127.0.0.1 refused",
    );
    assertEquals(error.code, "connection_refused");
    for (const host of transport.asked) {
      assert(error.message.includes(`${host} refused`), error.message);
    }
  });

  test("says that a host is not known", async () => {
    const transport = answering();
    const error = await assertRejects(
      () => dial(transport, tcp("name.invalid", 1)),
      TcpmuxError,
      "cannot connect to name.invalid:1",
    );
    assertEquals(error.code, "host_not_found");
    assertEquals(transport.asked, []);
  });

  test("looks no address or path up", async () => {
    const transport = answering("192.0.2.1", "2001:db8::1", "/name.invalid");
    const path = "/name.invalid";
    await dial(transport, tcp("192.0.2.1", 1));
    await dial(transport, tcp("2001:db8::1", 1));
    await dial(transport, { transport: "unix", path });
    assertEquals(transport.asked, ["192.0.2.1", "2001:db8::1", path]);
  });

  test("tries no further address when it is cancelled", async () => {
    const stop = new AbortController();
    const transport = answering();
    const { connect } = transport;
    transport.connect = (endpoint, options) => {
      stop.abort();
      return connect(endpoint, options);
    };
    const error = await assertRejects(
      () => dial(transport, tcp("localhost", 1), { signal: stop.signal }),
      TcpmuxError,
    );
    assertEquals(error.code, "cancelled");
    assertEquals(transport.asked.length, 1);
  });

  test("is cancelled before it begins, and times out in a look-up", async () => {
    const signal = AbortSignal.abort();
    const cancelled = await assertRejects(
      () => dial(answering(), tcp("localhost", 1), { signal }),
      TcpmuxError,
    );
    assertEquals(cancelled.code, "cancelled");

    const never: Transport = {
      ...answering(),
      connect: (_, options) =>
        new Promise((_, reject) =>
          options!.signal!.addEventListener("abort", () => {
            reject(options!.signal!.reason);
          })
        ),
    };
    const timedOut = await assertRejects(
      () => dial(never, tcp("localhost", 1), { timeout: 20 }),
      TcpmuxError,
      "no answer in 20 ms",
    );
    assertEquals(timedOut.code, "timed_out");
  });
});
