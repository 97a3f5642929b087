import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { pickTransport } from "../src/transport/pick.ts";
import type { Conn } from "../src/transport/transport.ts";
import {
  bytes,
  digestAll,
  readAll,
  readSome,
  writePattern,
} from "./support/bytes.ts";
import { connectTo, exchange } from "./support/client.ts";
import { tcpmux } from "./support/command.ts";
import { freePort, withFolder } from "./support/daemon.ts";
import { needs, needsRoot } from "./support/needs.ts";
import { withNginx } from "./support/nginx.ts";
import { withRedis } from "./support/redis.ts";
import { mustRun } from "./support/run.ts";
import { portOf, type RunningCommand, withCommand } from "./support/running.ts";
import { withServer } from "./support/server.ts";

const transport = await pickTransport();

const TABLE = `
[services.echo]
builtin = "echo"
[services.digest]
exec = ["sha256sum"]
[services.first]
text = "the server speaks first\\n"
[services.shut]
builtin = "echo"
enabled = false
`;

interface Ready {
  forwards: { name: string; listen: string; server: string; service: string }[];
}

/** Runs `use` with forwards to services of one server, by their names. */
function withForwards(
  names: readonly string[],
  use: (
    command: RunningCommand,
    ports: Record<string, number>,
  ) => Promise<void>,
  flags: readonly string[] = [],
): Promise<void> {
  return withServer(TABLE, ({ port }) =>
    withCommand(
      () => [
        "forward",
        "--json",
        ...flags,
        ...names.map((name) => `0=${name}`),
        `127.0.0.1:${port}`,
      ],
      async (command) => {
        const { forwards } = await command.ready<Ready>();
        const ports = forwards.map((
          { name, listen },
        ) => [name, portOf(listen)]);
        await use(command, Object.fromEntries(ports));
      },
    ));
}

/** Writes the file of `--config` and gives its words. */
function config(folder: string, text: string): string[] {
  const file = join(folder, "forwards.toml");
  writeFileSync(file, text.replaceAll("{folder}", folder));
  return ["forward", "--json", "--config", file];
}

async function sum(conn: Conn): Promise<string> {
  const expected = await writePattern(conn, 3_000_000);
  await conn.closeWrite();
  const said = await readAll(conn);
  conn.close();
  assertEquals(said.slice(0, 64), expected);
  return expected;
}

describe("tcpmux forward", () => {
  test("carries each port to its service, both ways to both ends", () =>
    withForwards(["digest", "first", "echo"], async (forward, ports) => {
      assertEquals(new Set(Object.values(ports)).size, 3);
      await sum(await connectTo(ports["digest"]!));
      const first = await connectTo(ports["first"]!);
      assertEquals(await readAll(first), "the server speaks first\n");
      first.close();
      assertEquals(await exchange(ports["echo"]!, "echo\r\n"), "echo\r\n");
      const { bytes_in, bytes_out, outcome, kind } = await forward.record(
        "digest",
      );
      assertEquals(
        [bytes_in, bytes_out, outcome, kind],
        [3_000_000, 68, "served", "tcpmux"],
      );
    }));

  test("carries many at once, and much", () =>
    withForwards(["echo"], async (_, { echo }) => {
      await Promise.all(Array.from({ length: 20 }, async () => {
        const conn = await connectTo(echo!);
        const reading = digestAll(conn);
        const digest = await writePattern(conn, 500_000);
        await conn.closeWrite();
        assertEquals(await reading, { count: 500_000, digest });
        conn.close();
      }));
    }));

  test("listens on a Unix socket and reaches a server on one", () =>
    withServer(TABLE, (_, folder) =>
      withCommand((own) => [
        "forward",
        `unix:${own}/echo=echo`,
        `unix:${folder}/mux`,
      ], async (_, own) => {
        const conn = await transport.connect({
          transport: "unix",
          path: join(own, "echo"),
        }).conn;
        await conn.write(bytes("by a path"));
        await conn.closeWrite();
        assertEquals(await readAll(conn), "by a path");
        conn.close();
      }), { args: ["--listen=127.0.0.1:0", "--listen=unix:./mux"] }));

  test(
    "says of each address of a host name which service it has",
    { ...needsRoot(), ...needs("unshare", "mount") },
    () =>
      withFolder(async (folder) => {
        const hosts = join(folder, "hosts");
        writeFileSync(hosts, "127.0.0.1 two.test\n127.0.0.2 two.test\n");
        const named = `mount --bind ${hosts} /etc/hosts && exec "$@"`;
        await withCommand(
          () => [
            ...["forward", "--json", "two.test:0=echo", "two.test:0=digest"],
            "127.0.0.1:7",
          ],
          async (command) => {
            const { forwards } = await command.ready<Ready>();
            const found = forwards.map(({ name, listen }) => [name, listen]);
            const listening = command.log.filter(({ message }) =>
              message === "listening"
            ).map(({ service, address }) => [service, address]);
            assertEquals(found, listening);
            assertEquals(found.map(([name]) => name), [
              ...["echo", "echo", "digest", "digest"],
            ]);
          },
          ["unshare", "--mount", "sh", "-c", named, "sh"],
        );
      }),
  );

  test("closes what is refused, and logs the reason", () =>
    withForwards(["shut", "none"], async (forward, ports) => {
      for (const name of ["shut", "none"]) {
        assertEquals(await exchange(ports[name]!, "x"), "");
        const { outcome, reason } = await forward.record(name);
        assertEquals(
          [outcome, reason],
          ["failed", "the upstream refused: Service not available"],
        );
      }
    }));

  test("closes when the server is down, and logs the reason", async () => {
    const port = await freePort();
    await withCommand(
      () => ["forward", "--json", "0=echo", `127.0.0.1:${port}`],
      async (forward) => {
        const { forwards } = await forward.ready<Ready>();
        const answer = await exchange(portOf(forwards[0]!.listen), "x");
        assertEquals(answer, "");
        const { reason } = await forward.record("echo");
        assertMatch(String(reason), /cannot connect to .*connection refused/);
      },
    );
  });

  test("ends who is idle, and refuses who is one too many", () =>
    withForwards(["echo"], async (forward, { echo }) => {
      const conn = await connectTo(echo!);
      await conn.write(bytes("x"));
      assertEquals(await readSome(conn, 1), "x");
      assertEquals(await exchange(echo!, "y"), "");
      await forward.logged("connection", ({ outcome }) => outcome === "busy");
      await conn.read().catch(() => null);
      conn.close();
      await forward.logged(
        "connection",
        ({ outcome }) => outcome === "timeout",
      );
    }, ["--max-connections=1", "--idle-timeout=1s"]));

  test("lets sessions end at SIGTERM; a second one ends all", () =>
    withForwards(["echo"], async (forward, { echo }) => {
      const [calm, stuck] = [await connectTo(echo!), await connectTo(echo!)];
      for (const conn of [calm, stuck]) {
        await conn.write(bytes("x"));
        assertEquals(await readSome(conn, 1), "x");
      }
      forward.signal("SIGTERM");
      await forward.logged("stopping");
      await calm.write(bytes("still here"));
      await calm.closeWrite();
      assertEquals(await readAll(calm), "still here");
      calm.close();
      forward.signal("SIGINT");
      await stuck.read().catch(() => null);
      stuck.close();
      assertEquals((await forward.exited).code, 0);
      await forward.logged(
        "connection",
        ({ outcome }) => outcome === "aborted",
      );
    }));
});

describe("tcpmux forward --config", () => {
  test("reads forwards, their servers and their settings", () =>
    withServer(
      TABLE,
      ({ port }) =>
        withServer(`[services.echo]\ntext = "another"`, (other) =>
          withCommand((folder) =>
            config(
              folder,
              `[server]
default_server = "127.0.0.1:${port}"
log.level = "info"
[forward.repeat]
listen = ["127.0.0.1:0", "unix:{folder}/repeat"]
service = "echo"
[forward.7]
listen = "0"
server = "localhost:${other.port}"
service = "ECHO"
connect_timeout = "2s"
`,
            ), async (forward, folder) => {
            const { forwards } = await forward.ready<Ready>();
            assertEquals(
              forwards.map((
                { name, service, server },
              ) => [name, service, server]),
              [
                ["repeat", "echo", `127.0.0.1:${port}`],
                ["repeat", "echo", `127.0.0.1:${port}`],
                ["7", "ECHO", `localhost:${other.port}`],
              ],
            );
            assertEquals(forwards[1]!.listen, `unix:${folder}/repeat`);
            assertEquals(await exchange(portOf(forwards[0]!.listen), "a"), "a");
            const answer = await exchange(portOf(forwards[2]!.listen), "");
            assertEquals(answer, "another");
          })),
    ));

  test("reads the file again at SIGHUP, all of it or nothing", () =>
    withServer(TABLE, ({ port }) => {
      const before = `[forward.echo]\nlisten = "0"\n`;
      const more = `[forward.first]\nlisten = "0"\n`;
      return withCommand((folder) => [
        ...config(folder, before),
        `127.0.0.1:${port}`,
      ], async (forward, folder) => {
        const [echo] = (await forward.ready<Ready>()).forwards;
        const conn = await connectTo(portOf(echo!.listen));
        await conn.write(bytes("x"));
        assertEquals(await readSome(conn, 1), "x");

        config(folder, before + more);
        forward.signal("SIGHUP");
        const both = (await forward.ready<Ready>(1)).forwards;
        assertEquals(both[0], echo);
        assertEquals(
          await exchange(portOf(both[1]!.listen), ""),
          "the server speaks first\n",
        );

        config(folder, more + `lisen = "0"\n[forward.new]\nlisten = "0"\n`);
        forward.signal("SIGHUP");
        const { reason } = await forward.logged(
          "not reloaded, the old table stays in force",
        );
        assertMatch(
          String(reason),
          /forwards\.toml:3: forward\.first\.lisen: /,
        );
        assertEquals(await exchange(portOf(echo!.listen), "y"), "y");

        config(folder, more);
        forward.signal("SIGHUP");
        const last = (await forward.ready<Ready>(2)).forwards;
        assertEquals(last, [both[1]!]);
        await forward.logged("no longer listening");
        // Who came by the listener that is gone is not cut off.
        await conn.write(bytes("still here"));
        await conn.closeWrite();
        assertEquals(await readAll(conn), "still here");
        conn.close();
      });
    }));

  test("a wrong file exits 78 with every error and its line", () =>
    withFolder(async (folder) => {
      const words = config(
        folder,
        `[forward]
e = 1
[server]
listen = "127.0.0.1:1"
default_server = "nowhere:x"
max_connections = 0
[forward.a]
listen = "127.0.0.1"
[forward.b]
server = "host"
servce = "x"
[forward.c]
listen = "1"
server = "host"
[forward.d]
listen = "127.0.0.1:1"
server = "host"
service = "two words"
[forward.HELP]
listen = "2"
server = "host"
`,
      );
      const { code, out, err } = await tcpmux(words);
      assertEquals([code, out], [78, ""]);
      for (
        const says of [
          ":4: server.listen: unknown key",
          ':5: server.default_server: is "nowhere:x"; allowed: HOST, HOST:PORT',
          ":6: server.max_connections: is 0; allowed: a whole number",
          ':8: forward.a.listen: is "127.0.0.1"; allowed: PORT (on 127.0.0.1)',
          ":9: forward.b.listen: is missing; allowed: ",
          ":11: forward.b.servce: unknown key (did you mean service?)",
          ':18: forward.d.service: is "two words"; allowed: ',
          ":19: forward.HELP: is not a valid",
          ":2: forward.e: is 1; allowed: a table",
        ]
      ) assert(err.includes(`forwards.toml${says}`), `${says}\n${err}`);
    }));

  const wrong: [string, string, RegExp][] = [
    [
      "no forward",
      "",
      /:1: forward: is empty; needed: a table \[forward\.NAME\]/,
    ],
    [
      "no server",
      `[forward.a]\nlisten = "1"`,
      /:1: forward\.a: needs a server: set server here, or default_server/,
    ],
    [
      "an address twice",
      `[server]\ndefault_server = "h"\n[forward.a]\nlisten = "9"\n` +
      `[forward.b]\nlisten = "127.0.0.1:9"`,
      /:6: forward\.b\.listen: 127\.0\.0\.1:9 is already used by the forward a/,
    ],
    [
      "other tables",
      `[services.a]\ntext = "x"`,
      /:1: services: unknown key/,
    ],
    [
      "a loop",
      `[forward.a]\nlisten = "9"\nserver = "127.0.0.1:9"`,
      /forwards\.toml:3: forward\.a\.server: makes a loop \(a, a\)/,
    ],
    [
      "TLS with nobody in particular",
      `[forward.a]\nlisten = "0"\nserver = "unix:/nowhere"\ntls = true`,
      /forwards\.toml:4: forward\.a\.tls: needs server_name/,
    ],
    ["no TOML", "[forward", /not TOML/],
  ];
  for (const [what, text, says] of wrong) {
    test(`exits 78 for ${what}`, () =>
      withFolder(async (folder) => {
        const { code, err } = await tcpmux(config(folder, text));
        assertEquals(code, 78);
        assertMatch(err, says);
      }));
  }
});

describe("the words of tcpmux forward", () => {
  const wrong: [string[], RegExp][] = [
    [[], /forward needs LOCAL=SERVICE and a server/],
    [["1=a"], /needs LOCAL=SERVICE and a server.* forward 1=a HOST/],
    [["host"], /needs LOCAL=SERVICE and a server.* forward 5432=postgres host/],
    [
      ["5432", "host"],
      /5432 is not LOCAL=SERVICE.* forward 5432=SERVICE host;/,
    ],
    [
      ["host", "5432"],
      /5432 is not LOCAL=SERVICE.* forward 5432=SERVICE host;/,
    ],
    [["5432"], /5432 is not LOCAL=SERVICE.* forward 5432=SERVICE HOST;/],
    [["1=a", "2", "host"], /2 is not LOCAL=SERVICE.* forward 2=SERVICE host;/],
    [["[::1]:5", "host"], / forward \[::1\]:5=SERVICE host; tcpmux list host /],
    [
      ["5432:db", "host"],
      /5432:db is not LOCAL=SERVICE.* forward 5432=db host;/,
    ],
    [["1=a", "host", "b"], /unexpected argument "b": forward takes one server/],
    [["x=a", "host"], /"x" is not an address to listen on \(PORT/],
    [["1=", "host"], /1=: "" is not a valid service name/],
    [["1=help", "host"], /"help" is not a valid service name/],
    [["1=a", "127.0.0.1:1=b", "host"], /127\.0\.0\.1:1 is given twice/],
    [["0=a", "0=b", "0=a", "host"], /0=a: 127\.0\.0\.1:0 is given twice/],
    [
      ["1=a", "host:port"],
      /"host:port" is not a server's address \(HOST, HOST:PORT/,
    ],
    [
      ["1=a", "host", "--config=x"],
      /with --config, write the forward into the file/,
    ],
    [["1=a", "host", "--max-connections=0"], /--max-connections is "0"/],
    [["1=a", "host", "--idle-timeout=1"], /--idle-timeout is "1"; allowed: a/],
  ];
  for (const [words, says] of wrong) {
    test(`${words.join(" ")}: exit 64 and why`, async () => {
      const { code, out, err } = await tcpmux(["forward", ...words]);
      assertEquals([code, out], [64, ""]);
      assertMatch(err, says);
      assertMatch(err, /^tcpmux: [^\n]+\n$/);
    });
  }

  test("TCPMUX_CONFIG is the server's table, not the forwards' file", async () => {
    const { code, err } = await tcpmux(["forward"], {
      env: { TCPMUX_CONFIG: "/no/such" },
    });
    assertEquals(code, 64, err);
  });

  test("a taken port exits 74", () =>
    withForwards(["echo"], async (_, { echo }) => {
      const words = ["forward", `${echo}=echo`, "localhost"];
      const { code, err } = await tcpmux(words);
      assertEquals(code, 74);
      assertMatch(err, /^tcpmux: cannot listen on .*already in use/);
    }));
});

describe("programs that know nothing of TCPMUX", () => {
  test(
    "redis-cli, over TCP and a Unix socket",
    needs("redis-server", "redis-cli"),
    () =>
      withRedis(({ port, socket }) => {
        const table = `[services.redis]\nconnect = "127.0.0.1:${port}"\n` +
          `[services.by-path]\nconnect = "unix:${socket}"\n`;
        return withServer(table, (server) =>
          withCommand((folder) => [
            ...["forward", "--json", "0=redis", `unix:${folder}/redis=by-path`],
            `localhost:${server.port}`,
          ], async (forward, folder) => {
            const { forwards } = await forward.ready<Ready>();
            const tcp = ["-p", String(portOf(forwards[0]!.listen))];
            const path = ["-s", join(folder, "redis")];
            const set = ["redis-cli", ...tcp, "SET", "key", "value"];
            assertEquals(String((await mustRun(set)).stdout), "OK\n");
            const get = ["redis-cli", ...path, "GET", "key"];
            assertEquals(String((await mustRun(get)).stdout), "value\n");
          }));
      }),
  );

  test(
    "curl, many requests on a connection",
    needs("nginx", "curl"),
    () =>
      withNginx(async ({ port, root }) => {
        writeFileSync(join(root, "page"), "a page\n");
        const table = `[services.web]\nconnect = "127.0.0.1:${port}"\n`;
        await withServer(table, (server) =>
          withCommand(
            () => ["forward", "--json", "0=web", `127.0.0.1:${server.port}`],
            async (forward) => {
              const { forwards } = await forward.ready<Ready>();
              const url = `http://${forwards[0]!.listen}/page`;
              const { stdout } = await mustRun(["curl", "-sS", url, url, url]);
              assertEquals(String(stdout), "a page\n".repeat(3));
              await forward.record("web");
              const records = forward.log.filter(({ message }) =>
                message === "connection"
              );
              assertEquals(records.length, 1);
            },
          ));
      }),
  );
});
