/** Sockets that listen already, which systemd has handed over. */
import { existsSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { pickTransport } from "../src/transport/pick.ts";
import { bytes, readAll } from "./support/bytes.ts";
import { exchange } from "./support/client.ts";
import { withFolder } from "./support/daemon.ts";
import { run } from "./support/run.ts";
import {
  programUnderTest,
  ROOT,
  type RunningServer,
  withServer,
} from "./support/server.ts";
import { descriptors } from "./support/wait.ts";

const transport = await pickTransport();

const activated = (...sockets: string[]) => [
  "perl",
  join(ROOT, "tests/support/activate.pl"),
  ...sockets,
  "--",
  ...programUnderTest(),
];

const SERVICES = `
[services.about]
text = "about"
[services.echo]
builtin = "echo"
[services.open]
exec = ["sh", "-c", "ls -l /proc/self/fd; env"]
`;

const table = (listen: string) =>
  `[server]\nlisten = ${JSON.stringify(listen)}\n${SERVICES}`;

function withSockets(
  listen: string,
  sockets: string[],
  use: (server: RunningServer, folder: string) => Promise<void>,
): Promise<void> {
  const options = { args: [], program: activated(...sockets) };
  return withServer(table(listen), use, options);
}

/** What the server says that cannot start with these sockets. */
function refusal(
  listen: string,
  sockets: string[],
  env: Record<string, string> = {},
): Promise<{ code: number | null; stderr: string }> {
  return withFolder((folder) => {
    const file = join(folder, "services.toml");
    writeFileSync(file, table(listen));
    const words = activated(...sockets.map((s) => s.replace("{}", folder)));
    return run([...words, "serve", "--config", file], { env });
  });
}

async function exchangeAt(path: string, request: string): Promise<string> {
  const conn = await transport.connect({ transport: "unix", path }).conn;
  await conn.write(bytes(request));
  await conn.closeWrite();
  const answer = await readAll(conn);
  conn.close();
  return answer;
}

describe("sockets of systemd", () => {
  test("one of IPv4: served, with its real address", () =>
    withSockets("systemd", ["tcp"], async (server) => {
      assert(server.port > 0, "the port is known");
      const much = "0123456789".repeat(50_000);
      assertEquals(
        await exchange(server.port, `echo\r\n${much}`),
        `+Go\r\n${much}`,
      );
      const { remote, local } = await server.record("echo");
      assertMatch(String(remote), /^127\.0\.0\.1:\d+$/);
      assertEquals(local, `127.0.0.1:${server.port}`);
    }));

  test("one of IPv6 takes IPv4 as well", () =>
    withSockets("systemd", ["tcp6"], async (server) => {
      assertEquals(await server.serving(), `[::]:${server.port}`);
      assertEquals(await exchange(server.port, "about\r\n"), "+Go\r\nabout");
      const { remote } = await server.record("about");
      assertMatch(String(remote), /^127\.0\.0\.1:\d+$/);
    }));

  test("a Unix socket, whose file stays when the server stops", () =>
    withFolder((folder) => {
      const path = join(folder, "mux");
      return withSockets("systemd", [`unix:${path}`], async (server) => {
        assertEquals(await server.serving(), `unix:${path}`);
        assertEquals(await exchangeAt(path, "about\r\n"), "+Go\r\nabout");
        await server.stop();
        assert(existsSync(path), "systemd's own file");
      });
    }));

  test("by their names, and one that is not asked for is let alone", () =>
    withFolder((folder) => {
      const path = join(folder, "mux");
      const sockets = ["tcp=web", `unix:${path}=local`, "tcp=web"];
      return withSockets("systemd:web", sockets, async (server) => {
        const addresses = (await server.serving()).split(" ");
        assertEquals(addresses.length, 2);
        for (const address of addresses) {
          const port = Number(address.split(":")[1]);
          assertEquals(await exchange(port, "about\r\n"), "+Go\r\nabout");
        }
      });
    }));

  test("two at one address are served each as the table says of it", () =>
    withFolder(async (folder) => {
      const file = join(folder, "services.toml");
      const listen = ["proxy://systemd:outer", "systemd:inner"];
      const server = `[server]\nlisten = ${JSON.stringify(listen)}\n` +
        'trusted_proxies = ["127.0.0.1"]\n';
      writeFileSync(file, server + SERVICES);
      const program = activated("same=outer", "same=inner");
      await withServer(
        server + SERVICES,
        async ({ port }) => {
          const answers = new Set<string>();
          for (let client = 0; client < 40; client++) {
            answers.add(await exchange(port, "about\r\n").catch(() => "reset"));
          }
          assert(answers.has("+Go\r\nabout"), [...answers].join());
          assert(answers.size > 1, "the header of a proxy is required nowhere");
        },
        { args: [], program },
      );
    }));

  test("programs get neither the sockets nor their variables", () =>
    withSockets("systemd", ["tcp", "tcp6"], async (server) => {
      const said = await exchange(server.port, "open\r\n");
      assertEquals(/LISTEN_\w+/.exec(said), null);
      const listeners = [3, 4].map((fd) => socketOf(server.pid, fd));
      for (const listener of listeners) {
        assertMatch(listener, /^socket:/);
        assert(!said.includes(listener), said);
      }
    }));

  test("a reload keeps them, and serves by the new table", () =>
    withSockets("systemd", ["tcp"], async (server, folder) => {
      const file = join(folder, "services.toml");
      for (const word of ["one", "two", "three"]) {
        const before = descriptors(server.pid);
        const text = readFileSync(file, "utf8");
        writeFileSync(file, text.replace(/text = .*/, `text = "${word}"`));
        const count = server.log.filter(isReload).length;
        server.signal("SIGHUP");
        await server.logged(
          "reloaded",
          () => server.log.filter(isReload).length > count,
        );
        assertEquals(
          await exchange(server.port, "about\r\n"),
          `+Go\r\n${word}`,
        );
        assert(descriptors(server.pid) <= before + 2, "none is opened anew");
      }
    }));

  test("one that a reload has given up does not come back", () =>
    withSockets(
      "systemd:web",
      ["tcp=web", "tcp=other"],
      async (server, folder) => {
        const file = join(folder, "services.toml");
        const text = readFileSync(file, "utf8");
        writeFileSync(file, text.replace("systemd:web", "systemd:other"));
        server.signal("SIGHUP");
        await server.logged("reloaded");
        writeFileSync(file, text);
        server.signal("SIGHUP");
        const line = await server.logged(
          "not reloaded, the old table stays in force",
        );
        assertMatch(String(line.reason), /an earlier reload has given it up/);
      },
    ));

  test("one that no listener has is warned of, once", () =>
    withSockets(
      "systemd:web",
      ["tcp=web", "tcp=wbe", "tcp"],
      async (server, folder) => {
        const noted = () =>
          server.log.filter(({ message }) => message === UNSERVED)
            .map(({ level, name, descriptor }) => [level, name, descriptor]);
        const reload = async (listen: string) => {
          const file = join(folder, "services.toml");
          writeFileSync(file, table(listen));
          const count = server.log.filter(isReload).length;
          server.signal("SIGHUP");
          await server.logged(
            "reloaded",
            () => server.log.filter(isReload).length > count,
          );
        };
        await server.logged("serving");
        const others = [["warn", "wbe", 4], ["warn", "unknown", 5]];
        assertEquals(noted(), others);
        await reload("systemd:web");
        assertEquals(noted(), others);
        await reload("systemd:wbe");
        assertEquals(noted(), [...others, ["warn", "web", 3]]);
      },
    ));

  test("none is warned of where all are in listeners, or another's", async () => {
    await withSockets("systemd", ["tcp", "tcp=web"], async (server) => {
      await server.logged("serving");
      assert(!server.log.some(({ message }) => message === UNSERVED));
    });
    const program = [
      ...["env", "ACTIVATE_PID=1"],
      ...activated("tcp=web"),
    ];
    await withServer(table("127.0.0.1:0"), async (server) => {
      await server.logged("serving");
      assert(!server.log.some(({ message }) => message === UNSERVED));
    }, { args: [], program });
  });

  const refused: [string, string, string[], RegExp][] = [
    ["no sockets", "systemd", [], /no socket was handed over/],
    [
      "no such name",
      "systemd:nope",
      ["tcp=web", "tcp=b"],
      /but there are web, b /,
    ],
    ["a connection", "systemd", ["conn"], /does not listen \(.*--inetd\)/],
    ["a datagram socket", "systemd", ["udp"], /a datagram socket \(UDP\)/],
    [
      "a file",
      "systemd:f",
      ["file=f"],
      /systemd:f \(descriptor 3\): it is \/dev\/null/,
    ],
  ];
  for (const [what, listen, sockets, why] of refused) {
    test(`${what}: said at the start`, async () => {
      const { code, stderr } = await refusal(listen, sockets);
      assertMatch(stderr, why);
      assertEquals(code, 74);
    });
  }

  test("another process's: said at the start", async () => {
    const { code, stderr } = await refusal("systemd", ["tcp"], {
      ACTIVATE_PID: "1",
    });
    assertMatch(stderr, /the sockets are for process 1, and this is \d+ \(/);
    assertEquals(code, 74);
  });
});

const UNSERVED = "a socket of systemd's is in no listen";

const isReload = ({ message }: { message: string }) => message === "reloaded";

function socketOf(pid: number, fd: number): string {
  return readlinkSync(`/proc/${pid}/fd/${fd}`);
}
