import { describe, test } from "node:test";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { dial } from "../src/dial.ts";
import type { Endpoint } from "../src/endpoint.ts";
import { TcpmuxError } from "../src/errors.ts";
import { memoryPair, memoryTransport } from "../src/transport/memory.ts";
import { pickTransport } from "../src/transport/pick.ts";
import type { Attempt, Conn, Transport } from "../src/transport/transport.ts";
import { bytes, readAll } from "./support/bytes.ts";
import { rejectsWith } from "./support/rejects.ts";
import { sleep } from "./support/wait.ts";

const real = await pickTransport();

function tcp(host: string, port: number): Endpoint {
  return { transport: "tcp", host, port };
}

/** What becomes of an attempt to connect to a host. */
type Fate = "answers" | "refuses" | "is silent" | Error;

interface Asked extends Transport {
  /** The hosts that were asked, in turn. */
  readonly asked: string[];
  /** Those whose attempts were given up. */
  readonly givenUp: string[];
  /** What answered. */
  readonly conns: Conn[];
}

/** A transport of which each host has a fate of its own. */
function fated(fateOf: (host: string) => Fate): Asked {
  const [asked, givenUp, conns]: [string[], string[], Conn[]] = [[], [], []];
  return {
    ...memoryTransport(),
    asked,
    givenUp,
    conns,
    lookup: (host) =>
      host === "localhost"
        ? Promise.resolve(["::1", "127.0.0.1"])
        : Promise.reject(Object.assign(new Error(host), { code: "ENOTFOUND" })),
    connect(endpoint): Attempt {
      const host = endpoint.transport === "tcp" ? endpoint.host : endpoint.path;
      asked.push(host);
      let fail: (error: Error) => void = () => {};
      const conn = new Promise<Conn>((resolve, reject) => {
        fail = reject;
        const fate = fateOf(host);
        if (fate === "answers") {
          const [ours] = memoryPair(tcp("x", 1), endpoint);
          conns.push(ours);
          resolve(ours);
        } else if (fate === "refuses") {
          reject(new TcpmuxError("connection_refused", `${host} refused`));
        } else if (fate !== "is silent") reject(fate);
      });
      const abort = () => {
        givenUp.push(host);
        fail(new TcpmuxError("cancelled", "given up"));
      };
      return { conn, abort };
    },
  };
}

/** A transport that answers at some hosts only. */
function answering(...hosts: string[]): Asked {
  return fated((host) => hosts.includes(host) ? "answers" : "refuses");
}

describe("dial", () => {
  for (const [name, host] of [["localhost", "127.0.0.1"], ["::1", "::1"]]) {
    test(`reaches ${name} where ${host} alone listens`, async () => {
      const listener = await real.listen(tcp(host!, 0));
      const { port } = listener.endpoint as { port: number };
      const [conn, accepted] = await Promise.all([
        dial(real, tcp(name!, port)).conn,
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
    const conn = await dial(transport, tcp("localhost", 1)).conn;
    assertEquals(transport.asked.at(-1), "127.0.0.1");
    assert(!transport.asked.includes("localhost"), "a name was passed on");
    conn.close();
  });

  test("says what each address of a name said", async () => {
    const transport = answering();
    const error = await assertRejects(
      () => dial(transport, tcp("localhost", 7)).conn,
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
      () => dial(transport, tcp("name.invalid", 1)).conn,
      TcpmuxError,
      "cannot connect to name.invalid:1",
    );
    assertEquals(error.code, "host_not_found");
    assertEquals(transport.asked, []);
  });

  test("looks no address or path up", async () => {
    const transport = answering("192.0.2.1", "2001:db8::1", "/name.invalid");
    const path = "/name.invalid";
    await dial(transport, tcp("192.0.2.1", 1)).conn;
    await dial(transport, tcp("2001:db8::1", 1)).conn;
    await dial(transport, { transport: "unix", path }).conn;
    assertEquals(transport.asked, ["192.0.2.1", "2001:db8::1", path]);
  });

  test("tries no further address when it is given up", async () => {
    const transport = fated(() => "is silent");
    const attempt = dial(transport, tcp("localhost", 1));
    const failing = rejectsWith("cancelled", () => attempt.conn);
    while (transport.asked.length === 0) await sleep(5);
    attempt.abort();
    attempt.abort();
    await failing;
    await sleep(400); // the next address would have its turn
    assertEquals(transport.asked.length, 1);
    assertEquals(transport.givenUp, transport.asked);
  });

  test("asks nobody when it is given up during the look-up", async () => {
    const transport = answering("127.0.0.1", "::1");
    const attempt = dial(transport, tcp("localhost", 1));
    attempt.abort();
    await rejectsWith("cancelled", () => attempt.conn);
    await sleep(100);
    assertEquals(transport.asked, []);
  });

  test("has one time-out for all of it", async () => {
    const transport = fated(() => "is silent");
    const begin = performance.now();
    const error = await rejectsWith(
      "timed_out",
      () => dial(transport, tcp("localhost", 1), { timeout: 350 }).conn,
    );
    assert(error.message.includes("no answer in 350 ms"), error.message);
    const time = performance.now() - begin;
    assert(time > 340 && time < 2000, `${time} ms`);
    assertEquals(transport.givenUp, transport.asked);
    const hosts = transport.asked.length;
    await sleep(300);
    assertEquals(transport.asked.length, hosts);
  });

  test("asks the next address beside one that is silent", async () => {
    const transport = fated((host) => host === "::1" ? "is silent" : "answers");
    const attempt = dial(transport, tcp("localhost", 1), { timeout: 5000 });
    const conn = await attempt.conn;
    assertEquals(transport.asked.length, 2);
    assertEquals(transport.givenUp, ["::1"]);
    attempt.abort(); // too late
    assertEquals(conn.end, undefined);
    conn.close();
  });

  test("lets go of what answers second", async () => {
    const late: ((conn: Conn) => void)[] = [];
    const transport = answering();
    transport.connect = (endpoint) => {
      transport.asked.push("");
      const conn = new Promise<Conn>((resolve) =>
        late.push((conn) => resolve(conn))
      );
      return { conn, abort() {}, endpoint } as Attempt;
    };
    const attempt = dial(transport, tcp("localhost", 1));
    while (late.length === 0) await sleep(5);
    const failing = rejectsWith("cancelled", () => attempt.conn);
    attempt.abort();
    await failing;
    const [conn] = memoryPair(tcp("x", 1), tcp("y", 1));
    late[0]!(conn);
    await sleep(10);
    await rejectsWith("closed", () => conn.read());
  });

  test("a mistake of ours is no failure of the host's", async () => {
    const mistake = new TypeError("undefined is not a function");
    const transport = fated(() => mistake);
    const attempt = dial(transport, tcp("localhost", 1));
    assert(await assertRejects(() => attempt.conn) === mistake);
  });

  test("asks for one family alone where it is told so", async () => {
    const transport = answering("127.0.0.1");
    const conn = await dial(transport, tcp("localhost", 1), { family: 4 }).conn;
    assertEquals(transport.asked, ["127.0.0.1"]);
    conn.close();
  });
});
