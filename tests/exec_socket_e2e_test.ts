/** Programs that get the client's socket itself. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { pickTransport } from "../src/transport/pick.ts";
import { writeRsyncConfig } from "./support/rsync.ts";
import { bytes, digestAll, readAll, writePattern } from "./support/bytes.ts";
import { ask, exchange } from "./support/client.ts";
import { tcpmux } from "./support/command.ts";
import { withFolder } from "./support/daemon.ts";
import { answer, shell } from "./support/exec.ts";
import { needs, needsRoot } from "./support/needs.ts";
import { mustRun } from "./support/run.ts";
import {
  programHandsOver,
  type RunningServer,
  withServer,
} from "./support/server.ts";
import { makeTree } from "./support/tree.ts";
import { connectLine } from "./support/way_in.ts";

const SOCKET = `stdio = "socket"`;
const can = programHandsOver();
const transport = await pickTransport();

/** A service that is a program in Perl, on the socket. */
function perl(name: string, script: string, keys = ""): string {
  return `
[services.${name}]
exec = ["perl", "-MFcntl", "-MSocket", "-e", ${JSON.stringify(script)}]
${SOCKET}
${keys}
`;
}

const debug = {
  args: ["--listen", "127.0.0.1:0", "--log-level", "debug"],
};

function usedPipes(server: RunningServer): boolean {
  return server.log.some(({ message }) =>
    message === "a program gets pipes instead of the socket"
  );
}

describe("a program on the socket", { skip: !can }, () => {
  const look = `
    my @ends = map { readlink("/proc/self/fd/$_") } 0, 1;
    my ($port) = sockaddr_in(getpeername(STDIN));
    print join(" ", (-S STDIN) + 0, $ends[0] eq $ends[1] ? "same" : "two",
      fcntl(STDIN, F_GETFL, 0) & O_NONBLOCK ? "nonblocking" : "blocking",
      $port), "\\n";`;
  const list = `exec = ["sh", "-c", "ls /proc/self/fd | tr '\\\\n' ' '"]`;

  test("has the connection itself, blocking, and nothing else", () =>
    withServer(
      perl("look", look) +
        `[services.piped]\n${list}\n[services.socket]\n${list}\n${SOCKET}\n`,
      async ({ port }) => {
        const asked = await ask(port, "look");
        assertEquals(asked.reply, "+Go");
        const { local } = asked.conn;
        assert(local.transport === "tcp");
        assertEquals(await asked.readAll(), `1 same blocking ${local.port}\n`);
        asked.conn.close();
        assertEquals(
          await answer(port, "socket"),
          await answer(port, "piped"),
        );
      },
    ));

  test("has it on a Unix socket too", () =>
    withFolder((folder) => {
      const path = join(folder, "socket");
      return withServer(
        shell("test", "test -S /dev/fd/0 && cat", SOCKET),
        async (server) => {
          const conn = await transport.connect({ transport: "unix", path })
            .conn;
          await conn.write(bytes("test\r\n"));
          let said = "";
          while (said.length < 5) {
            said += new TextDecoder().decode((await conn.read())!);
          }
          await conn.write(bytes("hello"));
          await conn.closeWrite();
          assertEquals(said + await readAll(conn), "+Go\r\nhello");
          conn.close();
          assertEquals((await server.record("test")).outcome, "served");
          assert(!usedPipes(server));
        },
        { args: ["--listen", `unix:${path}`, "--log-level", "debug"] },
      );
    }));

  test("moves bytes both ways at once, past the server", () =>
    withServer(
      `[services.cat]\nexec = ["cat"]\n${SOCKET}\n`,
      async (server) => {
        const { conn } = await ask(server.port, "cat");
        const total = 32 * 1024 * 1024;
        const sending = writePattern(conn, total).then(async (digest) => {
          await conn.closeWrite();
          return digest;
        });
        const got = await digestAll(conn);
        assertEquals(got, { count: total, digest: await sending });
        conn.close();
        const record = await server.record("cat");
        assertEquals(
          [record.outcome, record.reason, record.bytes_in, record.bytes_out],
          ["served", undefined, 0, 0],
        );
        assert(!usedPipes(server));
      },
      debug,
    ));

  test("reads the client's end, and answers behind it", () =>
    withServer(
      `[services.digest]\nexec = ["sha256sum"]\n${SOCKET}\n`,
      async ({ port }) => {
        const asked = await ask(port, "digest");
        const digest = await writePattern(asked.conn, 10_000_000);
        await asked.conn.closeWrite();
        assertEquals(await asked.readAll(), `${digest}  -\n`);
        asked.conn.close();
      },
    ));

  test("ends its side alone, and reads on", () =>
    withServer(
      perl(
        "half",
        `syswrite(STDOUT, "bye\\n"); shutdown(STDOUT, 1);
         local $/; my $all = <STDIN>; print STDERR length($all), "\\n";`,
      ),
      async (server) => {
        const asked = await ask(server.port, "half");
        assertEquals(await asked.readAll(), "bye\n");
        await writePattern(asked.conn, 3_000_000);
        await asked.conn.closeWrite();
        const line = await server.logged("stderr");
        assertEquals(line.text, "3000000");
        asked.conn.close();
      },
    ));

  test("gets pipes where bytes came early, and loses none of them", () =>
    withServer(
      shell("cat", "cat", SOCKET) +
        shell("own", "printf '+hi\\r\\n'; cat", `${SOCKET}\nreply = "service"`),
      async (server) => {
        for (const [service, reply] of [["cat", "+Go"], ["own", "+hi"]]) {
          assertEquals(
            await exchange(server.port, `${service}\r\nfirst\nsecond\n`),
            `${reply}\r\nfirst\nsecond\n`,
          );
          const record = await server.record(service!);
          assertEquals([record.outcome, record.bytes_in], ["served", 13]);
          const why = await server.logged(
            "a program gets pipes instead of the socket",
            (line) => line.service === service,
          );
          assertEquals([why.level, why.conn], ["debug", record.conn]);
        }
      },
      debug,
    ));

  test("gets the socket of a client that has ended its side", () =>
    withServer(shell("end", "cat; echo end", SOCKET), async (server) => {
      assertEquals(await exchange(server.port, "end\r\n"), "+Go\r\nend\n");
      await server.record("end");
      assert(!usedPipes(server));
    }, debug));

  test("may say yes or no itself", () =>
    withServer(
      shell(
        "yes",
        "printf '+hi\\r\\n'; cat",
        `${SOCKET}\nreply = "service"`,
      ),
      async (server) => {
        const asked = await ask(server.port, "yes");
        assertEquals(asked.reply, "+hi");
        await asked.conn.write(bytes("hello"));
        await asked.conn.closeWrite();
        assertEquals(await asked.readAll(), "hello");
        asked.conn.close();
        await server.record("yes");
        assert(!usedPipes(server));
      },
      debug,
    ));

  test("has its standard error where the table says", () => {
    const script = "echo out; echo err >&2";
    return withServer(
      shell("logged", script, SOCKET) +
        shell("nulled", script, `${SOCKET}\nstderr = "null"`) +
        shell("told", `${script}; exit 1`, `${SOCKET}\nstderr = "client"`),
      async (server) => {
        assertEquals(await answer(server.port, "logged"), "out\n");
        assertEquals(await answer(server.port, "nulled"), "out\n");
        assertEquals(await answer(server.port, "told"), "out\nerr\n");
        const { reason } = await server.record("told");
        assertEquals(reason, "the program exited with status 1");
        const lines = server.log.filter(({ message }) => message === "stderr");
        assertEquals(
          lines.map(({ service, text }) => [service, text]),
          [["logged", "err"]],
        );
      },
    );
  });

  test(
    "runs as its user",
    needsRoot(),
    () =>
      withServer(
        shell("who", "id -un; test -S /dev/fd/0 && echo socket", SOCKET) +
          `user = "nobody"\n`,
        async ({ port }) => {
          assertEquals(await answer(port, "who"), "nobody\nsocket\n");
        },
      ),
  );

  test(
    "may be rsync's own daemon",
    needs("rsync"),
    () =>
      withFolder((folder) => {
        const config = join(folder, "rsyncd.conf");
        return withServer(
          `
[services.rsync]
exec = ["rsync", "--daemon", "--config=${config}"]
${SOCKET}
`,
          async (server) => {
            const [here, there, back] = ["here", "there", "back"]
              .map((name) => join(folder, name)) as [string, string, string];
            makeTree(here);
            mkdirSync(there);
            writeRsyncConfig(config, there, ["hosts allow = 127.0.0.1"]);
            const rsync = (from: string, to: string) =>
              mustRun(["rsync", "-a", "--delete", from, to], {
                env: { RSYNC_CONNECT_PROG: connectLine(server.port, "rsync") },
              });
            await rsync(`${here}/`, "rsync://tcpmux.test/tree/");
            await mustRun(["diff", "-r", here, there]);
            await rsync("rsync://tcpmux.test/tree/", `${back}/`);
            await mustRun(["diff", "-r", here, back]);
            const { outcome, reason } = await server.record("rsync");
            assertEquals([outcome, reason], ["served", undefined]);
            assert(!usedPipes(server));
          },
          debug,
        );
      }),
  );
});

describe("stdio = socket where there is no such thing", { skip: can }, () => {
  const why =
    /t\.toml:4: services\.x\.stdio: Deno cannot pass a socket to a program: /;

  test("is refused at the start and by check", () =>
    withFolder(async (folder) => {
      const table = join(folder, "t.toml");
      writeFileSync(
        table,
        `[services.x]\nexec = ["/bin/true"]\n\n${SOCKET}\n`,
      );
      for (
        const words of [["check"], ["--listen", "127.0.0.1:0", "--config"]]
      ) {
        const { code, err } = await tcpmux([...words, table]);
        assertEquals(code, 78);
        assertMatch(err, why);
      }
    }));

  test("is nobody's concern while the service is disabled", () =>
    withFolder(async (folder) => {
      const table = join(folder, "t.toml");
      writeFileSync(
        table,
        `[services.x]\nexec = ["/bin/true"]\nenabled = false\n${SOCKET}\n`,
      );
      assertEquals((await tcpmux(["check", table])).code, 0);
    }));
});
