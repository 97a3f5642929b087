/** What the admin listener answers, to whom, and where it is. */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { adminPort, get, Watching } from "./support/admin.ts";
import { readAll } from "./support/bytes.ts";
import { ask, connectTo, exchange } from "./support/client.ts";
import { tcpmux } from "./support/command.ts";
import { answers, freePort, withFolder } from "./support/daemon.ts";
import { findProgram, needs } from "./support/needs.ts";
import { mustRun } from "./support/run.ts";
import {
  programHandsOver,
  programResets,
  programUnderTest,
  withServer,
} from "./support/server.ts";
import { untilGone, withUpstream } from "./support/upstream.ts";
import { until } from "./support/wait.ts";

const SERVICES = `[services.echo]
builtin = "echo"
description = "Says it again"
[services.down]
connect = "127.0.0.1:9"
`;
const table = (server: string) => `[server]\n${server}\n${SERVICES}`;
const ON = table('admin = "127.0.0.1:0"');

/** Whether a program can get the client's socket. */
const HAS_SOCKET = programHandsOver();

/** The value of a metric with exactly these labels. */
function valueOf(text: string, sample: string): number | undefined {
  const line = text.split("\n").find((line) => line.startsWith(`${sample} `));
  return line === undefined ? undefined : Number(line.split(" ").at(-1));
}

describe("/metrics", () => {
  test("counts what comes, is going on and has ended", () =>
    withServer(ON, async (server) => {
      const port = await adminPort(server);
      assertEquals(
        await exchange(server.port, "echo\r\nhello"),
        "+Go\r\nhello",
      );
      await exchange(server.port, "down\r\n");
      await exchange(server.port, "none\r\n");
      await server.logged("connection", ({ conn }) => conn === 3);
      const { conn } = await ask(server.port, "ECHO");
      await conn.write(new TextEncoder().encode("now"));
      await conn.read();
      const { status, headers, body } = await get(port, "/metrics");
      assertEquals(status, 200);
      assertMatch(headers["content-type"]!, /^text\/plain; version=0\.0\.4/);
      const is = (sample: string, value: number) =>
        assertEquals([sample, valueOf(body, sample)], [sample, value]);
      const listener = `listener="127.0.0.1:${server.port}"`;
      is(`tcpmux_connections_accepted_total{${listener}}`, 4);
      is(`tcpmux_connections_active{${listener},state="session"}`, 1);
      is(`tcpmux_connections_active{${listener},state="handshake"}`, 0);
      is(`tcpmux_handshakes_total{${listener},result="ok"}`, 2);
      is(`tcpmux_handshakes_total{${listener},result="backend_down"}`, 1);
      is(`tcpmux_handshakes_total{${listener},result="unknown"}`, 1);
      is(`tcpmux_handshakes_total{${listener},result="rate"}`, 0);
      is("tcpmux_handshake_duration_seconds_count", 1);
      is('tcpmux_handshake_duration_seconds_bucket{le="+Inf"}', 1);
      is('tcpmux_sessions_total{service="echo",end="ok"}', 1);
      is('tcpmux_sessions_active{service="echo"}', 1);
      is('tcpmux_session_duration_seconds_count{service="echo"}', 1);
      is('tcpmux_bytes_total{service="echo",direction="in"}', 8);
      is('tcpmux_bytes_total{service="echo",direction="out"}', 8);
      is(
        'tcpmux_upstream_failures_total{service="down",reason="backend_down"}',
        1,
      );
      is("tcpmux_config_last_reload_successful", 1);
      assert(valueOf(body, "process_resident_memory_bytes")! > 1e6);
      assert(valueOf(body, "process_cpu_seconds_total")! > 0);
      assert(valueOf(body, "process_open_fds")! > 2);
      assert(valueOf(body, "process_max_fds")! > 10);
      assert(valueOf(body, "nodejs_eventloop_lag_seconds")! >= 0);
      conn.close();
    }));

  test("counts each listener's connections for itself", () =>
    withServer(
      table('listen = ["127.0.0.1:0", "unix:./mux"]\nadmin = "127.0.0.1:0"'),
      async (server, folder) => {
        const port = await adminPort(server);
        await exchange(server.port, "echo\r\n");
        await server.logged("connection", ({ conn }) => conn === 1);
        const client = connect(join(folder, "mux")).on("error", () => {});
        client.write("echo\r\n");
        await server.logged("session", ({ conn }) => conn === 2);
        const { body } = await get(port, "/metrics");
        const is = (sample: string, value: number) =>
          assertEquals([sample, valueOf(body, sample)], [sample, value]);
        const tcp = `listener="127.0.0.1:${server.port}"`;
        const unix = 'listener="unix:./mux"';
        is(`tcpmux_connections_accepted_total{${tcp}}`, 1);
        is(`tcpmux_connections_accepted_total{${unix}}`, 1);
        is(`tcpmux_connections_active{${tcp},state="session"}`, 0);
        is(`tcpmux_connections_active{${unix},state="session"}`, 1);
        is(`tcpmux_handshakes_total{${tcp},result="ok"}`, 1);
        is(`tcpmux_handshakes_total{${unix},result="ok"}`, 1);
        client.destroy();
      },
      { args: ["--log-level", "debug"] },
    ));

  test("says which upstreams answer, and what they have to do", () =>
    withUpstream(untilGone, async (upstream) => {
      const free = await freePort();
      const services = `
[services.two]
connect = ["127.0.0.1:${free}", "127.0.0.1:${upstream}"]
[services.mux]
tcpmux = "127.0.0.1:${free}/x"
[services.unused]
connect = "127.0.0.1:${upstream}"
`;
      await withServer(
        `[server]\nadmin = "127.0.0.1:0"\n${services}`,
        async (server) => {
          const port = await adminPort(server);
          const { conn } = await ask(server.port, "two");
          await exchange(server.port, "mux\r\n");
          await server.logged("connection", ({ conn }) => conn === 2);
          let { body } = await get(port, "/metrics");
          const is = (name: string, labels: string, value?: number) => {
            const sample = `tcpmux_upstream_${name}{${labels}}`;
            assertEquals([sample, valueOf(body, sample)], [sample, value]);
          };
          const down = `service="two",upstream="127.0.0.1:${free}"`;
          const up = `service="two",upstream="127.0.0.1:${upstream}"`;
          const mux = `service="mux",upstream="127.0.0.1:${free}"`;
          const unused = `service="unused",upstream="127.0.0.1:${upstream}"`;
          is("up", down, 0);
          is("up", up, 1);
          is("up", mux, 0);
          is("up", unused, undefined);
          is("sessions_active", down, 0);
          is("sessions_active", up, 1);
          is("sessions_active", unused, 0);
          is("connect_duration_seconds_count", down, 0);
          is("connect_duration_seconds_count", up, 1);
          conn.close();
          const { upstream: address } = await server.logged(
            "connection",
            ({ conn }) => conn === 1,
          );
          assertEquals(address, `127.0.0.1:${upstream}`);
          ({ body } = await get(port, "/metrics"));
          is("sessions_active", up, 0);
          is("up", up, 1);
        },
      );
    }));

  test("counts how programs exit", () =>
    withServer(
      `[server]
admin = "127.0.0.1:0"
[services]
good.exec = ["true"]
bad.exec = ["false"]
killed.exec = ["sh", "-c", "kill -9 $$"]
socket.exec = ["false"]
socket.stdio = "socket"
`.replace(/^socket.*\n/gm, HAS_SOCKET ? "$&" : ""),
      async (server) => {
        const port = await adminPort(server);
        const names = ["good", "bad", "bad", "killed"];
        if (HAS_SOCKET) names.push("socket");
        for (const name of names) await exchange(server.port, `${name}\r\n`);
        const last = names.length;
        await server.logged("connection", ({ conn }) => conn === last);
        const { body } = await get(port, "/metrics");
        const samples = body.match(/^tcpmux_child_exits_total\{.*$/gm);
        assertEquals(samples, [
          'tcpmux_child_exits_total{service="good",status="0"} 1',
          'tcpmux_child_exits_total{service="bad",status="nonzero"} 2',
          'tcpmux_child_exits_total{service="killed",status="signal"} 1',
          ...HAS_SOCKET
            ? ['tcpmux_child_exits_total{service="socket",status="nonzero"} 1']
            : [],
        ]);
      },
    ));

  test(
    "counts what could not be accepted",
    // It is the same runtime that cannot send a reset.
    programResets()
      ? { skip: "Bun and Node do not tell when the system cannot accept" }
      : needs("prlimit"),
    () =>
      withServer(ON, async (server) => {
        const port = await adminPort(server);
        const limit = (files: string) =>
          mustRun(["prlimit", "--pid", `${server.pid}`, `--nofile=${files}`]);
        await limit("16:1024");
        const conns = await Promise.all(
          Array.from({ length: 30 }, () => connectTo(server.port)),
        );
        await server.logged("cannot accept connections, retrying");
        for (const conn of conns) conn.abort();
        await limit("1024:1024");
        await server.logged("accepting again");
        const { body } = await get(port, "/metrics");
        const errors = 'tcpmux_accept_errors_total{errno="EMFILE"}';
        assert(valueOf(body, errors)! >= 1, body);
      }),
  );

  test("has no label of what a peer has sent", () =>
    withServer(ON, async (server) => {
      const port = await adminPort(server);
      for (let i = 0; i < 20; i++) {
        await exchange(server.port, `guess${i}"} 1\r\n`);
      }
      await server.logged("connection", ({ conn }) => conn === 20);
      const { body } = await get(port, "/metrics");
      assert(!body.includes("guess"), body);
      assertEquals(
        valueOf(
          body,
          `tcpmux_handshakes_total{listener="127.0.0.1:${server.port}",` +
            'result="unknown"}',
        ),
        20,
      );
      const names = body.matchAll(/service="([^"]*)"/g);
      assertEquals(
        [...new Set([...names].map(([, name]) => name))].toSorted(),
        ["down", "echo"],
      );
    }));

  test(
    "is as promtool wants it",
    needs("promtool"),
    () =>
      withServer(ON, async (server) => {
        const port = await adminPort(server);
        await exchange(server.port, "echo\r\nhello");
        await exchange(server.port, "down\r\n");
        await server.logged("connection", ({ conn }) => conn === 2);
        const { body } = await get(port, "/metrics");
        const { status, stdout, stderr } = spawnSync(
          findProgram("promtool")!,
          ["check", "metrics"],
          { input: body, encoding: "utf8", timeout: 60_000 },
        );
        assertEquals([status, stdout + stderr], [0, ""]);
      }),
  );

  test("takes 50 scrapes at once", () =>
    withServer(ON, async (server) => {
      const port = await adminPort(server);
      const all = await Promise.all(
        Array.from({ length: 50 }, () => get(port, "/metrics")),
      );
      for (const { status, body } of all) {
        assertEquals(status, 200);
        assert(body.includes("\ntcpmux_build_info{"));
      }
    }));
});

describe("whoever looks", () => {
  test("is told whether it is well, and ready", () =>
    withServer(ON, async (server) => {
      const port = await adminPort(server);
      for (const path of ["/healthz", "/readyz"]) {
        const { status, body } = await get(port, path);
        assertEquals([status, body], [200, "ok\n"]);
      }
      const { conn } = await ask(server.port, "echo");
      server.signal("SIGTERM");
      await until(
        "it is ready no more",
        async () => (await get(port, "/readyz")).status === 503,
      );
      assertEquals((await get(port, "/healthz")).status, 200);
      const { body } = await get(port, "/metrics");
      assertEquals(valueOf(body, "tcpmux_draining"), 1);
      await conn.closeWrite();
      assertEquals(await readAll(conn), "");
      assertEquals((await server.exited).code, 0);
      assert(!await answers(port));
    }));

  test("gets the status and the last errors as JSON", () =>
    withServer(ON, async (server) => {
      const port = await adminPort(server);
      await exchange(server.port, "down\r\n");
      await exchange(server.port, "down\r\n");
      await server.logged("connection", ({ conn }) => conn === 2);
      const { headers, body } = await get(port, "/status.json?x=1");
      assertEquals(headers["content-type"], "application/json");
      const status = JSON.parse(body);
      assertEquals(status.services.length, 2);
      assertEquals(status.results.backend_down, 2);
      assertEquals(
        status.errors.map((
          { service, code, times }: Record<string, unknown>,
        ) => [service, code, times]),
        [["down", "backend_down", 2]],
      );
      assertMatch(status.errors[0].reason, /^cannot connect to 127\.0\.0\.1:9/);
    }));

  test("gets nothing under a name that is not ours", () =>
    withServer(
      table('admin = "127.0.0.1:0"\nadmin_hosts = ["Mux.example.org"]'),
      async (server) => {
        const port = await adminPort(server);
        const statusFor = async (host: string) =>
          (await get(port, "/status.json", { host })).status;
        for (
          const host of [
            `127.0.0.1:${port}`,
            "10.1.2.3",
            "[::1]:9101",
            "localhost",
            "LOCALHOST:80",
            "mux.example.org",
            "mux.EXAMPLE.org:9101",
          ]
        ) assertEquals([host, await statusFor(host)], [host, 200]);
        for (
          const host of [
            "evil.example",
            "localhost.evil.example",
            "mux.example.org.evil.example",
            "127.0.0.1.evil.example",
            "[evil]",
            "mux",
          ]
        ) assertEquals([host, await statusFor(host)], [host, 421]);
      },
    ));

  test("can only read, and no other page can", () =>
    withServer(ON, async (server) => {
      const port = await adminPort(server);
      for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
        const { status, headers } = await get(port, "/", { method });
        assertEquals([method, status, headers.allow], [
          method,
          405,
          "GET, HEAD",
        ]);
      }
      for (const path of ["/", "/metrics", "/status.json", "/nothing"]) {
        const got = await get(port, path);
        assertEquals(got.status, path === "/nothing" ? 404 : 200);
        assertEquals(got.headers["x-content-type-options"], "nosniff");
        assertEquals(got.headers["referrer-policy"], "no-referrer");
        assertEquals(got.headers["access-control-allow-origin"], undefined);
        const policy = got.headers["content-security-policy"] as string;
        assertMatch(policy, /^default-src 'none'; /);
        assert(!policy.includes("unsafe"), policy);
        const head = await get(port, path, { method: "HEAD" });
        assertEquals([head.status, head.body], [got.status, ""]);
        if (path !== "/") continue; // the others change by themselves
        assertEquals(
          head.headers["content-length"],
          got.headers["content-length"],
        );
      }
    }));

  test("gets a page that asks nobody else for anything", () =>
    withServer(ON, async (server) => {
      const { headers, body } = await get(await adminPort(server), "/");
      assertEquals(headers["content-type"], "text/html; charset=utf-8");
      assert(body.startsWith("<!DOCTYPE html>"));
      assert(body.includes("new EventSource("));
      const outside = body.match(/(https?:)?\/\/[\w.-]+\.\w+[^"'\s]*/g) ?? [];
      assertEquals(
        outside.filter((url) => url !== "http://www.w3.org/2000/svg"),
        [],
      );
    }));
});

describe("/events", () => {
  test("sends all of it, and then what changes", () =>
    withServer(ON, async (server) => {
      const watching = new Watching(await adminPort(server));
      await until("there is a first message", () => watching.messages[0]);
      assertMatch(watching.head, /^HTTP\/1\.1 200 [^]*text\/event-stream/);
      const [{ event, data }] = watching.messages as [Message];
      assertEquals(event, "full");
      assertEquals(data.services.map(({ name }) => name), ["echo", "down"]);
      assertEquals(data.connections, []);
      const { conn } = await ask(server.port, "echo");
      const added = await until(
        "it is added",
        () => changes(watching).find(({ added }) => added.length > 0),
      );
      const [id, service, remote] = added.added[0]!;
      assertEquals([id, service], [1, "echo"]);
      assertMatch(String(remote), /^127\.0\.0\.1:\d+$/);
      await conn.write(new TextEncoder().encode("hi"));
      await until(
        "its bytes are counted",
        () =>
          changes(watching).some(({ moved }) =>
            moved.some(([id, , inward]) => id === 1 && inward === 2)
          ),
      );
      conn.close();
      await until(
        "it has ended",
        () => changes(watching).some(({ ended }) => ended.includes(1)),
      );
      watching.close();
    }));

  test("has room for 16, and again when one has gone", () =>
    withServer(ON, async (server) => {
      const port = await adminPort(server);
      const all: Watching[] = [];
      for (let i = 0; i < 16; i++) {
        const one = new Watching(port);
        await until("it watches", () => one.messages[0]);
        all.push(one);
      }
      assertEquals((await get(port, "/events")).status, 503);
      assertEquals((await get(port, "/metrics")).status, 200);
      all.shift()!.close();
      await until("there is room", async () => {
        const one = new Watching(port);
        all.push(one);
        await until("it is answered", () => one.messages[0] ?? one.isOver);
        return one.messages.length > 0;
      });
      for (const one of all) one.close();
    }));
});

interface Message {
  readonly event: string;
  readonly data: {
    readonly services: { readonly name: string }[];
    readonly connections: unknown[];
  };
}

interface Change {
  readonly added: unknown[][];
  readonly moved: unknown[][];
  readonly ended: unknown[];
}

const changes = ({ messages }: Watching) =>
  messages.filter(({ event }) => event === "change")
    .map(({ data }) => data as unknown as Change);

describe("its address", () => {
  test("that is taken refuses the start", async () => {
    const port = await freePort();
    const holder = spawn(findProgram("perl")!, [
      "-MIO::Socket::INET",
      "-e",
      `$s = IO::Socket::INET->new(Listen => 5, LocalAddr => "127.0.0.1:${port}")
        or die; sleep 600`,
    ], { stdio: "ignore" });
    try {
      await until("it is taken", () => answers(port));
      await withFolder(async (folder) => {
        const file = join(folder, "services.toml");
        writeFileSync(file, table(`admin = "127.0.0.1:${port}"`));
        const { code, err } = await tcpmux([
          "serve",
          "--config",
          file,
          "--listen=127.0.0.1:0",
        ]);
        assertEquals(code, 74, err);
        assertMatch(
          err,
          /tcpmux: server\.admin: cannot listen on 127\.0\.0\.1:\d+: the address is already in use .*\(another program listens there/,
        );
        assert(!err.includes("serving"), err);
      });
    } finally {
      process.kill(holder.pid!, "SIGKILL");
    }
  });

  test("in a folder that is not there is an error that says so", () =>
    withFolder(async (folder) => {
      const file = join(folder, "services.toml");
      writeFileSync(file, table(`admin = "unix:${folder}/no/a"`));
      const words = ["serve", "--config", file, "--listen=127.0.0.1:0"];
      const { code, err } = await tcpmux(words);
      assertEquals(code, 74, err);
      assertMatch(
        err,
        /: no such file( \(ENOENT\))? \(the folder \S+no is not there: make it/,
      );
    }));

  test("moves with a reload, comes, goes, and stays where it cannot", () =>
    withServer(table(""), async (server, folder) => {
      const file = join(folder, "services.toml");
      const reload = async (server_: string, message: string) => {
        const before = server.log.length;
        writeFileSync(file, table(server_));
        server.signal("SIGHUP");
        await until(
          () => `${message}: ${JSON.stringify(server.log.slice(-3))}`,
          () =>
            server.log.slice(before).some((line) => line.message === message),
        );
      };
      const first = await freePort();
      await reload(`admin = "127.0.0.1:${first}"`, "reloaded");
      assertEquals((await get(first, "/readyz")).status, 200);
      const second = await freePort();
      const watching = new Watching(first);
      await until("it watches", () => watching.messages[0]);
      await reload(`admin = "127.0.0.1:${second}"`, "reloaded");
      assertEquals((await get(second, "/readyz")).status, 200);
      await until("the first one is closed", async () => !await answers(first));
      await until("who watched is let go", () => watching.isOver);
      await reload(
        `admin = "127.0.0.1:${server.port}"`,
        "not reloaded, the old table stays in force",
      );
      assertEquals((await get(second, "/readyz")).status, 200);
      const { body } = await get(second, "/metrics");
      assertEquals(
        valueOf(body, "tcpmux_config_last_reload_successful"),
        0,
      );
      assertEquals(await exchange(server.port, "echo\r\nhi"), "+Go\r\nhi");
      await reload("", "reloaded");
      await until("it is gone", async () => !await answers(second));
    }));

  test("may be a Unix socket, which is gone behind it", () =>
    withFolder((folder) => {
      const path = join(folder, "admin.sock");
      const unix = table(`admin = "unix:${path}"`);
      return withServer(unix, async (server) => {
        await server.logged("admin listener");
        assertEquals((await get(path, "/readyz")).status, 200);
        assertEquals(
          (await get(path, "/", { host: "evil.example" })).status,
          421,
        );
        // Whom nobody could clean up behind leaves the file.
        server.signal("SIGKILL");
        await server.exited;
        assert(existsSync(path));
        await withServer(unix, async (next) => {
          await next.logged("admin listener");
          assertEquals((await get(path, "/readyz")).status, 200);
          assertEquals(await next.stop(), 0);
          assert(!existsSync(path));
        });
      });
    }));

  test("has few clients at a time, and none that says nothing", () =>
    withServer(ON, async (server) => {
      const port = await adminPort(server);
      const sockets: Socket[] = [];
      let open = 0;
      for (let i = 0; i < 120; i++) {
        const socket = connect({ host: "127.0.0.1", port });
        socket.on("error", () => {});
        socket.once("connect", () => {
          open++;
          socket.once("close", () => open--);
          socket.resume();
        });
        sockets.push(socket);
      }
      await until("the rest is let go", () => open > 0 && open <= 81);
      await until("all are let go", () => open === 0);
      assertEquals((await get(port, "/readyz")).status, 200);
      const slow = await connectTo(port);
      await slow.write(new TextEncoder().encode("GET / HTTP/1.1\r\nHost: "));
      assertMatch(await readAll(slow), /^(HTTP\/1\.1 408 |$)/);
      slow.close();
    }));

  test("that others can reach is warned of", () =>
    withServer(table('admin = "0.0.0.0:0"'), async (server) => {
      const line = await server.logged("the admin listener has no password");
      assertEquals(line.level, "warn");
    }));
});

test("nothing of it is loaded where the table names none", {
  skip: "Deno" in globalThis || "Bun" in globalThis ||
      process.env.TCPMUX_TEST_PROGRAM !== undefined
    ? "Node alone says what it loads"
    : false,
}, async () => {
  const hooks = `import { registerHooks } from "node:module";
    registerHooks({ load(url, context, next) {
      process._rawDebug("loaded " + url);
      return next(url, context);
    } });`;
  const [node, ...words] = programUnderTest();
  const program = [
    node!,
    "--import",
    `data:text/javascript,${encodeURIComponent(hooks)}`,
    ...words,
  ];
  for (const [server, isOn] of [["", false], ['admin = "127.0.0.1:0"', true]]) {
    await withServer(table(String(server)), async (server) => {
      await exchange(server.port, "echo\r\nhi");
      await server.record("echo");
      const loaded = server.other.filter((line) => line.startsWith("loaded "));
      assert(loaded.some((line) => line.endsWith("/src/server.ts")));
      const parts = loaded.filter((line) =>
        /\/src\/admin\/|prom-client|node:http$/.test(line)
      );
      assertEquals(parts.length > 0, isOn, parts.join("\n"));
    }, { program });
  }
});
