/** One connection, its time and its end: what went wrong once, on sockets. */
import { spawn } from "node:child_process";
import { describe, test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  type ConnectionRecord,
  type LogFields,
  serve,
  type ServeOptions,
  type Server,
  type TableInput,
  TcpmuxError,
} from "../mod.ts";
import { type Expiring, type Timer, TimerList } from "../src/timers.ts";
import { fromSystem } from "../src/transport/errno.ts";
import { pickTransport } from "../src/transport/pick.ts";
import type { Conn, Listener, Transport } from "../src/transport/transport.ts";
import { blackhole } from "./support/blackhole.ts";
import { bytes, readAll, readLine, readSome } from "./support/bytes.ts";
import { ask, connectTo, exchange } from "./support/client.ts";
import { runCommand } from "./support/command.ts";
import { needsNamespace } from "./support/namespace.ts";
import { needs } from "./support/needs.ts";
import {
  needsTwoMachines,
  SERVER_ADDRESS,
  twoMachines,
} from "./support/network.ts";
import { rudeClient } from "./support/rude.ts";
import { onThisRuntime } from "./support/runtime.ts";
import { portOf, withCommand } from "./support/running.ts";
import { programUnderTest, withServer } from "./support/server.ts";
import { sleep, until } from "./support/wait.ts";

const transport = await pickTransport();

interface Logged {
  readonly message: string;
  readonly fields: LogFields;
}

/** A server on loopback, with what it has logged and recorded. */
interface Serving {
  readonly server: Server;
  readonly port: number;
  readonly records: readonly ConnectionRecord[];
  readonly log: readonly Logged[];
  /** The first record, which has to come in so many milliseconds. */
  record(within?: number): Promise<ConnectionRecord>;
}

async function serving(
  services: TableInput["services"],
  use: (serving: Serving) => Promise<void>,
  options: ServeOptions & {
    server?: TableInput["server"];
    transport?: Transport;
  } = {},
): Promise<void> {
  const records: ConnectionRecord[] = [];
  const log: Logged[] = [];
  const { server: settings, ...rest } = options;
  const server = await serve({
    server: { listen: "127.0.0.1:0", ...settings },
    services,
  }, {
    log: (_level, message, fields = {}) => log.push({ message, fields }),
    onRecord: (record) => records.push(record),
    ...rest,
  });
  const [endpoint] = server.addresses;
  assert(endpoint?.transport === "tcp");
  try {
    await use({
      server,
      port: endpoint.port,
      records,
      log,
      record: (within = 3_000) =>
        until("there is a record", () => records[0], within),
    });
  } finally {
    await server.close(0);
  }
}

/** An upstream that takes what comes, and does as it is told otherwise. */
async function withQuietUpstream(
  use: (address: string, accepted: () => Promise<Conn>) => Promise<void>,
): Promise<void> {
  const any = { transport: "tcp", host: "127.0.0.1", port: 0 } as const;
  const listener = await transport.listen(any);
  const { endpoint } = listener;
  assert(endpoint.transport === "tcp");
  try {
    await use(
      `127.0.0.1:${endpoint.port}`,
      async () => (await listener.accept())!,
    );
  } finally {
    listener.close();
  }
}

const never = new Promise<never>(() => {});

describe("a service that is over", () => {
  const ways: [string, string, Record<string, string>][] = [
    ["idle_timeout", "idle_timeout expired", { idle_timeout: "300ms" }],
    ["max_duration", "max_duration expired", { max_duration: "500ms" }],
    ["stall_timeout", "stall_timeout expired", { stall_timeout: "300ms" }],
  ];
  for (const [key, reason, limits] of ways) {
    test(`has its record within ${key}, though nobody reads what it wrote`, () =>
      serving({
        much: {
          handler(conn) {
            conn.write(new Uint8Array(64 * 1024 * 1024)).catch(() => {});
          },
          ...limits,
        },
      }, async ({ port, record }) => {
        const client = await held(port, "much\r\n");
        const { outcome, reason: why } = await record();
        assertEquals([outcome, why], ["timeout", reason]);
        client.abort();
      }));
  }

  test("has its record within idle_timeout, though its text is not read", () =>
    serving({
      much: { text: "x".repeat(16 * 1024 * 1024), idle_timeout: "300ms" },
    }, async ({ port, record }) => {
      const client = await held(port, "much\r\n");
      assertEquals((await record()).reason, "idle_timeout expired");
      client.abort();
    }));
});

/** A client that reads nothing, on any runtime. */
async function held(port: number, request: string): Promise<Conn> {
  const client = await connectTo(port);
  await client.write(bytes(request));
  return client; // runtimes that read ahead do so for some 64 KiB only
}

describe("a text that is not read", {
  ...needs("perl"),
  ...needsNamespace(),
}, () => {
  test("has its record within idle_timeout, however small buffers are", async () => {
    const small = "ip link set lo up && cd /proc/sys/net/ipv4 && " +
      "for file in tcp_wmem tcp_rmem; do echo 4096 4096 4096 > $file; done" +
      ` && cd / && exec "$@"`;
    const { out, err } = await runCommand([
      ...["unshare", "--net", "--", "sh", "-c", small, "sh"],
      ...onThisRuntime("unread_text.ts"),
    ]);
    assertEquals(out.trim(), "timeout: idle_timeout expired", err);
  });
});

describe("a handler that never settles", () => {
  test("does not hold up close(), and has one record", () =>
    serving({ hang: () => never }, async ({ server, port, records }) => {
      const { conn, reply } = await ask(port, "hang");
      assertEquals(reply, "+Go");
      const begin = performance.now();
      await server.close(0);
      assert(performance.now() - begin < 3_000);
      assertEquals(records.map(({ outcome }) => outcome), ["aborted"]);
      assertEquals(records[0]!.reason, "the server has stopped");
      conn.abort();
    }));

  test("does not hold up close(), though it has closed its connection", () =>
    serving({
      hang(conn) {
        conn.close();
        return never;
      },
    }, async ({ server, port, records }) => {
      const { conn } = await ask(port, "hang");
      assertEquals(await readAll(conn), "");
      conn.close();
      await sleep(50);
      assertEquals(records, []);
      await server.close(0);
      assertEquals(records.map(({ outcome }) => outcome), ["aborted"]);
    }));

  test("has idle_timeout, though it has closed its connection", () =>
    serving({
      hang: {
        handler(conn) {
          conn.close();
          return never;
        },
        idle_timeout: "300ms",
      },
    }, async ({ port, record }) => {
      assertEquals(await exchange(port, "hang\r\n"), "+Go\r\n");
      const { outcome, reason } = await record();
      assertEquals([outcome, reason], ["timeout", "idle_timeout expired"]);
    }));

  test("ends with its client", () =>
    serving({ hang: () => never }, async ({ port, record }) => {
      const rude = await rudeClient(port, "hang\r\n", { lines: 1 });
      await rude.reset();
      assertEquals((await record()).outcome, "aborted");
    }));
});

describe("a side that has ended", () => {
  test("leaves the other one half_closed_timeout: an upstream that is silent", () =>
    withQuietUpstream((address, accepted) =>
      serving({
        quiet: { connect: address, half_closed_timeout: "300ms" },
      }, async ({ port, record }) => {
        const client = await connectTo(port);
        await client.write(bytes("quiet\r\nhello"));
        const upstream = await accepted();
        assertEquals(await readSome(upstream, 5), "hello");
        await sleep(500); // nobody has ended yet
        await client.closeWrite();
        assertEquals(await upstream.read(), null);
        const { outcome, reason } = await record();
        assertEquals(
          [outcome, reason],
          ["timeout", "half_closed_timeout expired"],
        );
        for (const conn of [client, upstream]) conn.abort();
      })
    ));

  test("leaves the other one half_closed_timeout: a client that is idle", () =>
    withQuietUpstream((address, accepted) =>
      serving({ quiet: { connect: address } }, async ({ port, record }) => {
        const { conn } = await ask(port, "quiet");
        const upstream = await accepted();
        upstream.close();
        assertEquals(await conn.read(), null);
        const { outcome, reason } = await record();
        assertEquals(
          [outcome, reason],
          ["timeout", "half_closed_timeout expired"],
        );
        conn.abort();
      }, { server: { half_closed_timeout: "300ms" } })
    ));

  test(
    "is missed when it is reset behind its end",
    needs("perl"),
    () =>
      withQuietUpstream((address, accepted) =>
        serving({ quiet: { connect: address } }, async ({ port, record }) => {
          const rude = await rudeClient(port, "quiet\r\n", {
            lines: 1,
            ends: true,
          });
          const upstream = await accepted();
          assertEquals(await upstream.read(), null);
          await rude.reset();
          assertEquals((await record()).outcome, "aborted");
          upstream.abort();
        }, { transport: { ...transport, timers: new HastyTimers() } })
      ),
  );
});

/** What takes longer than a second comes in a tenth of one. */
class HastyTimers extends TimerList {
  override after(
    milliseconds: number,
    expiring: Expiring,
  ): Timer | undefined {
    return super.after(milliseconds > 1_000 ? 100 : milliseconds, expiring);
  }
}

/** An echo still answers after a moment, and ends with its client. */
async function echoesLater(conn: Conn): Promise<void> {
  await sleep(100);
  await conn.write(bytes("still here"));
  assertEquals(await readSome(conn, 10), "still here");
  await conn.closeWrite();
  assertEquals(await readAll(conn), "");
  conn.close();
}

describe("a long duration", () => {
  test("drain_timeout of weeks ends nobody", () =>
    serving({ echo: { builtin: "echo" } }, async (set) => {
      const { conn } = await ask(set.port, "echo");
      const closed = set.server.close();
      await echoesLater(conn);
      await closed;
      assertEquals((await set.record()).outcome, "served");
    }, { server: { drain_timeout: "600h" } }));

  test("no time-out of years ends anybody", () => {
    const years = "100000h";
    return serving({
      echo: {
        builtin: "echo",
        idle_timeout: years,
        half_closed_timeout: years,
        stall_timeout: years,
        max_duration: years,
      },
    }, async (set) => {
      const { conn } = await ask(set.port, "echo");
      await echoesLater(conn);
      assertEquals((await set.record()).outcome, "served");
    }, { server: { handshake_timeout: years } });
  });
});

const twoMachinesNeeded = await needsTwoMachines();

describe("a side that is unreachable", () => {
  test(
    "is given up after stall_timeout",
    twoMachinesNeeded,
    () =>
      withTwoMachines(async (network) => {
        const [first, ...words] = [...network.server, ...programUnderTest()];
        await withServer(
          '[services.flood]\nbuiltin = "chargen"\nstall_timeout = "1s"\n',
          async (server) => {
            const reader = spawn(network.client[0]!, [
              ...network.client.slice(1),
              "bash",
              "-c",
              `exec 3<>/dev/tcp/${SERVER_ADDRESS}/${server.port}
            printf 'flood\\r\\n' >&3; exec cat <&3 >/dev/null`,
            ], { stdio: "ignore" });
            try {
              await sleep(1_500); // as long as it reads, it is no concern
              assertEquals(
                server.log.filter(({ message }) => message === "connection"),
                [],
              );
              network.cutTheWire();
              const record = await server.record("flood");
              assertEquals(
                [record.outcome, record.reason],
                ["timeout", "stall_timeout expired"],
              );
            } finally {
              reader.kill("SIGKILL");
            }
          },
          {
            program: [first!, ...words],
            args: [`--listen=${SERVER_ADDRESS}:0`],
          },
        );
      }),
  );
});

async function withTwoMachines(
  use: (network: Awaited<ReturnType<typeof twoMachines>>) => Promise<void>,
): Promise<void> {
  const network = await twoMachines();
  try {
    await use(network);
  } finally {
    network.close();
  }
}

describe("a client from this machine", () => {
  test(
    "does not wait while another's connection is being opened",
    needs("perl"),
    async () => {
      const hole = await blackhole();
      try {
        assert(hole.endpoint.transport === "tcp");
        const { port: same } = hole.endpoint;
        await serving({
          slow: { connect: `127.0.0.1:${same}`, connect_timeout: "5s" },
          about: { text: "about" },
        }, async ({ server }) => {
          // It listens at the number of the port that is being connected to.
          const to = server.addresses[0]!;
          const waiting = await transport.connect(to).conn;
          await waiting.write(bytes("slow\r\n"));
          await sleep(100);
          const begin = performance.now();
          const client = await transport.connect(to).conn;
          await client.write(bytes("about\r\n"));
          assertEquals(await readAll(client), "+Go\r\nabout");
          const took = performance.now() - begin;
          assert(took < 500, `${took} ms`);
          for (const conn of [client, waiting]) conn.abort();
        }, { server: { listen: `127.0.0.2:${same}` } });
      } finally {
        hole.close();
      }
    },
  );
});

/** The same transport, whose accepted connections are others. */
function accepting(change: (conn: Conn) => Conn): Transport {
  return {
    ...transport,
    async listen(endpoint, options) {
      const listener = await transport.listen(endpoint, options);
      const wrapped: Listener = {
        endpoint: listener.endpoint,
        close: () => listener.close(),
        async accept() {
          const conn = await listener.accept();
          return conn && change(conn);
        },
      };
      return wrapped;
    },
  };
}

/** The first time only, the member is a fault. */
function faulty(member: "remote" | "read"): (conn: Conn) => Conn {
  let isFirst = true;
  return (conn) => {
    if (!isFirst) return conn;
    isFirst = false;
    const fail = () => {
      throw new TypeError(`a fault of ${member}`);
    };
    return new Proxy(conn, {
      get(target, name) {
        if (name === member) {
          return member === "remote"
            ? fail()
            : () => Promise.resolve().then(fail);
        }
        const value = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  };
}

function stacks(log: readonly Logged[]): string[] {
  return log.flatMap(({ message, fields: { stack } }) =>
    stack === undefined ? [] : [`${message}: ${stack}`]
  );
}

/** What a client gets whose connection is closed at once, or reset. */
function cutOff(port: number): Promise<string> {
  return exchange(port, "").catch(() => "");
}

describe("a fault of our own", () => {
  test("in accepting is logged with its stack, and accepting goes on", () =>
    serving({ about: { text: "about" } }, async ({ port, log }) => {
      assertEquals(await cutOff(port), "");
      assertMatch(
        stacks(log).join("\n"),
        /^internal error at a new connection: .*a fault of remote[^]*faults_session/,
      );
      assertEquals(
        log.filter(({ message }) => message.startsWith("cannot accept")),
        [],
      );
      assertEquals(await exchange(port, "about\r\n"), "+Go\r\nabout");
    }, { transport: accepting(faulty("remote")) }));

  test("near a socket is logged with its stack", () =>
    serving({ about: { text: "about" } }, async ({ port, log, record }) => {
      assertEquals(await cutOff(port), "");
      const { outcome, reason } = await record();
      assertEquals([outcome, reason], ["failed", "a fault of read"]);
      assertMatch(stacks(log).join("\n"), /a fault of read[^]*faults_session/);
      assertEquals(await exchange(port, "about\r\n"), "+Go\r\nabout");
    }, { transport: accepting(faulty("read")) }));

  test("in connecting is logged with its stack, and the client is refused", () =>
    serving({ up: { connect: "127.0.0.1:9" } }, async (set) => {
      assertEquals(
        await exchange(set.port, "up\r\n"),
        "-Service temporarily unavailable\r\n",
      );
      const { outcome, reason } = await set.record();
      assertEquals([outcome, reason], ["failed", "a fault of connect"]);
      assertMatch(
        stacks(set.log).join("\n"),
        /a fault of connect[^]*faults_session/,
      );
    }, {
      transport: {
        ...transport,
        connect: () => ({
          conn: Promise.reject(new TypeError("a fault of connect")),
          abort() {},
        }),
      },
    }));

  test("stays what it is, and what fails in the system is one of ours", () => {
    const mistake = new TypeError("undefined is no function");
    assertEquals(fromSystem(mistake, "cannot read"), mistake);
    const reset = Object.assign(new Error("read"), { code: "ECONNRESET" });
    const error = fromSystem(reset, "cannot read");
    assert(error instanceof TcpmuxError);
    assertEquals(error.cause, reset);
  });
});

describe("behind a proxy", () => {
  test("the service is the table's word, and the peer's is another", () =>
    withServer('[services.echo]\nbuiltin = "echo"\n', (server) =>
      withCommand(
        () => ["proxy", "0", `127.0.0.1:${server.port}`, "--json"],
        async (proxy) => {
          const { listen } = await proxy.ready<{ listen: string }>();
          const conn = await connectTo(portOf(listen));
          await conn.write(bytes('CONNECT ec"=\\ho HTTP/1.1\r\n\r\n'));
          assertMatch(await readLine(conn), /^HTTP\/1\.1 502 /);
          await readAll(conn);
          conn.close();
          const record = await proxy.logged("connection");
          assertEquals(
            [record.service, record.requested],
            ["proxy", 'ec"=\\ho'],
          );
        },
      )));
});
