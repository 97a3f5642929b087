/** Where the control socket is, who may use it, and what can go wrong. */
import { spawn } from "node:child_process";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { ask, exchange } from "./support/client.ts";
import { type Result, runCommand, tcpmux } from "./support/command.ts";
import { requestTo, tableOf, withControlled } from "./support/control.ts";
import { withFolder } from "./support/daemon.ts";
import { findProgram, needs, needsRoot } from "./support/needs.ts";
import { quoted } from "./support/run.ts";
import {
  programUnderTest,
  RunningServer,
  withServer,
} from "./support/server.ts";
import { unprivileged } from "./support/unprivileged.ts";
import { until } from "./support/wait.ts";

const HEAD = "HTTP/1.1 200 OK\r\nServer: tcpmux\r\n";
const ECHO = `[services.echo]\nbuiltin = "echo"\n`;

/** Starts a server of that table, by whatever words stand before it. */
function start(
  folder: string,
  table: string,
  { env = {}, before = [] as string[], program = programUnderTest() } = {},
): RunningServer {
  const file = join(folder, "services.toml");
  writeFileSync(file, table.replaceAll("{folder}", folder));
  const words = [
    ...before,
    ...program,
    ...["serve", "-c", file, "-l", "127.0.0.1:0", "--log-format=json"],
    "--log-level=debug",
  ];
  return new RunningServer(
    spawn(words[0]!, words.slice(1), {
      env: { ...process.env, ...env },
      stdio: ["ignore", "inherit", "pipe"],
    }),
  );
}

/** Runs `use` with a socket that does `script` with each of its clients. */
async function withSocket(
  script: (socket: Socket) => void,
  use: (path: string) => Promise<void>,
): Promise<void> {
  await withFolder(async (folder) => {
    const path = join(folder, "s");
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on("error", () => {});
      script(socket);
    });
    await new Promise<void>((resolve) => server.listen(path, resolve));
    try {
      await use(path);
    } finally {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    }
  });
}

describe("the control socket", () => {
  test("is its user's alone, and is gone with the server", () =>
    withFolder(async (folder) => {
      const server = start(folder, tableOf(ECHO), {
        before: ["sh", "-c", 'umask 0; exec "$@"', "sh"],
      });
      try {
        await server.logged("control socket");
        const { mode, uid } = statSync(`${folder}/c.sock`);
        assertEquals([mode & 0o777, uid], [0o600, process.getuid!()]);
      } finally {
        await server.stop();
      }
      assert(!existsSync(`${folder}/c.sock`));
    }));

  test("is taken over from a server that was killed, from no other", () =>
    withFolder(async (folder) => {
      const killed = start(folder, tableOf(ECHO));
      await killed.logged("control socket");
      killed.signal("SIGKILL");
      await killed.exited;
      assert(existsSync(`${folder}/c.sock`));

      const first = start(folder, tableOf(ECHO));
      try {
        await first.logged("control socket");
        const second = start(folder, tableOf(ECHO));
        assertEquals((await second.exited).code, 74);
        assertMatch(
          second.other.join("\n"),
          /^tcpmux: cannot listen on unix:\S+c\.sock \(server\.control\): .*another server has it/m,
        );
        const { json } = await requestTo(`${folder}/c.sock`, "GET /status");
        assertEquals(json().pid, first.pid);
      } finally {
        await first.stop();
      }
    }));

  test("of a successor stays, where the first one's file was removed", () =>
    withFolder(async (folder) => {
      const path = `${folder}/c.sock`;
      const first = start(folder, tableOf(ECHO));
      await first.logged("control socket");
      rmSync(path);
      const second = start(folder, tableOf(ECHO));
      try {
        await second.logged("control socket");
        await first.stop();
        const { json } = await requestTo(path, "GET /status");
        assertEquals(json().pid, second.pid);
        // And one whose file was removed makes it again at a reload.
        rmSync(path);
        second.signal("SIGHUP");
        await second.logged("reloaded");
        await until("it is back", () => existsSync(path));
        assertEquals((await requestTo(path, "GET /status")).code, 200);
      } finally {
        await second.stop();
      }
    }));

  test(
    "says that a reload waited until the server stopped",
    needsMounts(),
    () =>
      withFolder((tools) => {
        const [held, getent] = [`${tools}/held`, `${tools}/getent`];
        const waits = `while [ -e ${held} ]; do sleep 0.1; done`;
        const script = `#!/bin/sh\n${waits}\nexec ${getent}.real "$@"\n`;
        copyFileSync(findProgram("getent")!, `${getent}.real`);
        writeFileSync(getent, script, { mode: 0o755 });
        const mount = `mount --bind ${getent} ${findProgram("getent")}`;
        const program = [
          "unshare",
          "--mount",
          "sh",
          "-c",
          `${mount}; exec "$@"`,
        ];
        program.push("sh", ...programUnderTest());
        const table = tableOf(`${ECHO}[services.cat]\nexec = ["cat"]\n`);
        return withServer(table, async (server, folder) => {
          const { conn } = await ask(server.port, "echo");
          writeFileSync(held, "");
          const reload = () => requestTo(`${folder}/c.sock`, "POST /reload");
          const replies = [reload(), reload()];
          const asked = () =>
            server.log.filter(({ command }) => command === "reload").length;
          await until("both are asked for", () => asked() === 2);
          server.signal("SIGTERM");
          await server.logged("stopping");
          rmSync(held);
          for (const { code, json } of await Promise.all(replies)) {
            assertEquals([code, json().error?.code], [409, "closed"]);
          }
          conn.close();
          assertEquals((await server.exited).code, 0);
        }, { program });
      }),
  );

  test("whose folder is missing is an error that says so", () =>
    withFolder(async (folder) => {
      const table = `[server]\ncontrol = "unix:${folder}/no/c"\n${ECHO}`;
      const server = start(folder, table);
      assertEquals((await server.exited).code, 74);
      assertMatch(
        server.other.join("\n"),
        /: no such file( \(ENOENT\))? \(the folder \S+no is not there: make/,
      );
    }));

  test("is refused in the table where its mode would keep nobody away", async () => {
    for (const value of ['"unix:@name"', '"127.0.0.1:1"', "true", '"/path"']) {
      await withFolder(async (folder) => {
        const file = join(folder, "services.toml");
        writeFileSync(file, `[server]\ncontrol = ${value}\n${ECHO}`);
        const { code, err } = await tcpmux(["check", file]);
        assertEquals(code, 78);
        assertMatch(err, /server\.control: .*unix:\/path, or false for none/);
      });
    }
  });

  test("is not made by forward", () =>
    withFolder(async (folder) => {
      const [program, ...words] = [
        ...programUnderTest(),
        ...["forward", "0=x", "127.0.0.1:9", "--log-format=json"],
      ];
      const forward = new RunningServer(
        spawn(program!, words, {
          env: { ...process.env, XDG_RUNTIME_DIR: folder },
          stdio: ["ignore", "ignore", "pipe"],
        }),
      );
      await forward.serving();
      await forward.stop();
      assert(!existsSync(`${folder}/tcpmux`));
    }));
});

describe("by default", () => {
  test("the user's own server is found, and a second one serves without", () =>
    withFolder(async (folder) => {
      mkdirSync(`${folder}/run`, { mode: 0o700 });
      const env = { XDG_RUNTIME_DIR: `${folder}/run` };
      const first = start(folder, ECHO, { env });
      try {
        const { path } = await first.logged("control socket");
        if (path === "/run/tcpmux/control.sock") return; // of this machine
        assertEquals(path, `${folder}/run/tcpmux/control.sock`);
        assertEquals(statSync(`${folder}/run/tcpmux`).mode & 0o777, 0o700);
        const second = start(folder, ECHO, { env });
        try {
          const { level, reason } = await second.logged("no control socket");
          assertEquals(level, "info");
          assertMatch(String(reason), /another server has it/);
          assertMatch(await second.serving(), /^127\.0\.0\.1:/);
          const { out } = await tcpmux(["status", "--json"], { env });
          assertEquals(JSON.parse(out).pid, first.pid);
          // When the first one has gone, a reload gets the place.
          await first.stop();
          second.signal("SIGHUP");
          await second.logged("control socket");
        } finally {
          await second.stop();
        }
      } finally {
        await first.stop();
      }
      const gone = await tcpmux(["status"], { env });
      assertEquals(gone.code, 74);
      assertMatch(
        gone.err,
        /no server has a control socket at \/run\/tcpmux\/control.sock or \S+run\/tcpmux\/control\.sock \(is it running\? --control PATH or TCPMUX_CONTROL /,
      );
    }));

  test(
    "a system's folder goes before a user's",
    needsMounts(),
    () =>
      withFolder(async (folder) => {
        const program = programUnderTest().map(quoted).join(" ");
        writeFileSync(`${folder}/t.toml`, ECHO);
        const script = `mount -t tmpfs none /run && mkdir /run/tcpmux || exit 9
          ${program} serve -c ${folder}/t.toml -l 127.0.0.1:0 2>${folder}/log &
          for _ in $(seq 300); do
            [ -e /run/tcpmux/control.sock ] && break
            sleep 0.1
          done
          ${program} status -q; ${program} drain --wait; wait; ls /run/tcpmux`;
        const { code, out } = await runCommand(
          ["unshare", "--mount", "sh", "-c", script],
          { env: { XDG_RUNTIME_DIR: folder } },
        );
        assertEquals([code, out], [0, "echo\nthe server has ended\n"]);
      }),
  );

  test(
    "a reload keeps what root has made for another user",
    needsMounts(),
    () =>
      withFolder(async (folder) => {
        const program = programUnderTest().map(quoted).join(" ");
        writeFileSync(`${folder}/t.toml`, `[server]\nuser = "news"\n${ECHO}`);
        chmodSync(folder, 0o755);
        const script = `mount -t tmpfs none /run && mkdir /run/tcpmux || exit 9
        ${program} serve -c ${folder}/t.toml -l 127.0.0.1:0 2>${folder}/log &
        for _ in $(seq 300); do
          grep -q serving ${folder}/log && break
          sleep 0.1
        done
        for _ in 1 2; do
          ${program} reload; stat -c %U /run/tcpmux /run/tcpmux/control.sock
        done
        ${program} status -q; kill $!; wait`;
        const { code, out, err } = await runCommand(
          ["unshare", "--mount", "sh", "-c", script],
          { env: { XDG_RUNTIME_DIR: "" } },
        );
        const reloaded = `${folder}/t.toml: 1 service, in force\nroot\nnews\n`;
        const wanted = `${reloaded}${reloaded}echo\n`;
        assertEquals([err, code, out], ["", 0, wanted]);
      }),
  );

  test("there is none with control = false, nor without a folder", async () => {
    await withFolder(async (folder) => {
      const env = { XDG_RUNTIME_DIR: folder };
      const server = start(
        folder,
        `[server]\ncontrol = false\n${ECHO}`,
        { env },
      );
      await server.serving();
      await server.stop();
      assert(!existsSync(`${folder}/tcpmux`));
      assert(!server.log.some(({ message }) => /control/.test(message)));
    });
    await withFolder(async (folder) => {
      if (existsSync("/run/tcpmux")) return; // this machine has one
      const env = { XDG_RUNTIME_DIR: `${folder}/none` };
      const server = start(folder, ECHO, { env });
      await server.serving();
      assertEquals((await server.logged("no control socket")).level, "debug");
      await server.stop();
    });
  });

  if (programUnderTest().includes("-A")) {
    test("Deno without the permission has none; the table's own is an error", () =>
      withFolder(async (folder) => {
        const program = programUnderTest().flatMap((word) =>
          word === "-A"
            ? ["--allow-net", `--allow-read=${folder}`, "--allow-env"]
            : [word]
        );
        const env = { XDG_RUNTIME_DIR: folder };
        const server = start(folder, ECHO, { env, program });
        await server.serving();
        assertEquals((await server.logged("no control socket")).level, "debug");
        await server.stop();
        const other = start(folder, tableOf(ECHO), { env, program });
        assertEquals((await other.exited).code, 78);
        assertMatch(
          other.other.join("\n"),
          /services\.toml:2: server\.control: needs Unix sockets: Deno was started without that permission/,
        );
      }));
  }
});

describe("a command says why it gets no answer", () => {
  const status = (path: string, ...words: string[]): Promise<Result> =>
    tcpmux(["status", "--control", path, ...words]);

  test("nobody there: 74", () =>
    withFolder(async (folder) => {
      for (const word of ["status", "sessions", "reload", "drain"]) {
        const { code, out, err } = await tcpmux([word], {
          env: { TCPMUX_CONTROL: `unix:${folder}/c` },
        });
        assertEquals([code, out], [74, ""]);
        assertMatch(err, /at \S+\/c: no such file .*\(is it running\? /);
      }
      writeFileSync(`${folder}/file`, "");
      const { code, err } = await status(`${folder}/file`);
      assertEquals(code, 74);
      assertMatch(err, /connection refused/);
    }));

  test("a server that stands still: 124", () =>
    withSocket((socket) => socket.resume(), async (path) => {
      for (const word of ["status", "sessions", "reload"]) {
        const { code, err } = await tcpmux(
          [word, "--control", path, "--timeout", "300ms"],
        );
        assertEquals(code, 124);
        assertEquals(
          err,
          `tcpmux: the server at ${path} has not answered within 0.3 s\n`,
        );
      }
    }));

  test("not before its time-out, which may be weeks, or 0 for none", () =>
    withControlled(ECHO, async ({ run }) => {
      for (const timeout of ["600h", "0"]) {
        assertEquals(await run("status", "-q", "-t", timeout), {
          code: 0,
          out: "echo\n",
          err: "",
        });
      }
    }));

  test("an answer that stands still: 124", () =>
    withSocket((socket) => {
      socket.once("data", () =>
        socket.write(`${HEAD}Content-Length: 9\r\n\r\n{`));
    }, async (path) => {
      assertEquals((await status(path, "-t", "300ms")).code, 124);
    }));

  test("an answer that breaks off: 74; other servers: 76", async () => {
    for (
      const [answer, wanted] of [
        [`${HEAD}Content-Length: 9\r\n\r\n{`, 74],
        ["", 74],
        ["SSH-2.0-OpenSSH\r\n", 76],
        [`${HEAD}Content-Length: 2\r\n\r\nhi`, 76],
        ["HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\n{}", 76],
        ["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", 76],
      ] as const
    ) {
      await withSocket(
        (socket) => socket.once("data", () => socket.end(answer)),
        async (path) => {
          const { code, out } = await status(path);
          assertEquals([answer, code, out], [answer, wanted, ""]);
        },
      );
    }
  });

  test(
    "another user's: 77",
    { ...needsRoot(), ...needs("setpriv") },
    () =>
      withControlled(ECHO, async ({ path }) => {
        const foreign = await runCommand([
          ...unprivileged(),
          ...programUnderTest(),
          "status",
          "--control",
          path,
        ]);
        assertEquals(foreign.code, 77);
        assertMatch(foreign.err, /belongs to user 0, and only that user and /);
      }),
  );

  test(
    "a socket that a stranger has made is not trusted",
    needsRoot(),
    () =>
      withSocket(() => {}, async (path) => {
        chownSync(path, 54321, 54321);
        // Root, to whom all belongs, may use it.
        const { code } = await status(path, "-t", "200ms");
        assertEquals(code, 124);
      }),
  );
});

describe("clients of the control socket that do harm", () => {
  test("hold it up for nobody, and not for ever", () =>
    withControlled(ECHO, async ({ path, server, run }) => {
      const sockets = Array.from({ length: 60 }, () => {
        const socket = connect(path);
        socket.on("error", () => {});
        socket.write("GET /status HTTP/1.1\r\nHos");
        return socket;
      });
      const closed = Promise.all(
        sockets.map((socket) =>
          new Promise((resolve) => socket.once("close", resolve))
        ),
      );
      assertEquals((await run("status", "-q")).out, "echo\n");
      const more = Array.from({ length: 100 }, () => {
        const socket = connect(path);
        socket.on("error", () => {});
        return socket;
      });
      const busy = await until("it has too many", async () => {
        const { code, err } = await run("status");
        return code === 0 ? undefined : { code, err };
      });
      assert([74, 75].includes(busy.code!), busy.err);
      assertEquals(await exchange(server.port, "echo\r\n"), "+Go\r\n");
      await closed; // by their deadline
      for (const socket of more) socket.destroy();
      await until(
        "there is room",
        async () => (await run("status")).code === 0,
      );
    }));

  test("are served their reply when they have gone half-way", () =>
    withControlled(ECHO, async ({ path, server }) => {
      const { conn } = await ask(server.port, "echo");
      for (let i = 0; i < 50; i++) {
        const socket = connect(path);
        socket.on("error", () => {});
        socket.write("POST /reload HTTP/1.1\r\nHost: x\r\n\r\n");
        if (i % 2 === 0) socket.destroy();
        else socket.end();
      }
      assertEquals((await requestTo(path, "GET /status")).json().sessions, 1);
      conn.close();
    }));
});

/** The options of a test that mounts something of its own. */
function needsMounts(): { skip?: string } {
  const { skip } = { ...needsRoot(), ...needs("unshare", "mount") };
  return skip === undefined ? {} : { skip };
}
