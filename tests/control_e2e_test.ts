/** The control socket and its commands, with real servers and clients. */
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { bytes, readAll } from "./support/bytes.ts";
import { ask, exchange } from "./support/client.ts";
import { requestTo, tableOf, withControlled } from "./support/control.ts";
import { needs } from "./support/needs.ts";
import { childrenOf } from "./support/processes.ts";
import { runCommand, tcpmux } from "./support/command.ts";
import { until } from "./support/wait.ts";

const SERVICES = `
[services.echo]
builtin = "echo"
aliases = ["again"]
[services.sleeper]
exec = ["sleep", "600"]
[services.about]
text = "about"
[services.closed]
text = "closed"
enabled = false
`;
const NOT_AVAILABLE = "-Service not available\r\n";

describe("tcpmux status and sessions", () => {
  test("show what the server does", () =>
    withControlled(SERVICES, async ({ server, run, status, sessions }) => {
      assertEquals(await exchange(server.port, "about\r\n"), "+Go\r\nabout");
      const { conn } = await ask(server.port, "echo");
      await conn.write(bytes("12345"));
      assertEquals(await conn.read().then((read) => read!.length), 5);
      await server.record("about");

      const now = await status();
      assertEquals(now.pid, server.pid);
      assertEquals(now.listeners, [`127.0.0.1:${server.port}`]);
      assertEquals([now.sessions, now.draining, now.reload], [1, false, null]);
      assertEquals(now.outcomes, { served: 1 });
      assertEquals(
        now.services.map(({ name, enabled, sessions, served, bytes_out }) => [
          name,
          enabled,
          sessions,
          served,
          bytes_out,
        ]),
        [
          ["echo", true, 1, 0, 0],
          ["sleeper", true, 0, 0, 0],
          ["about", true, 0, 1, 5],
          ["closed", false, 0, 0, 0],
        ],
      );
      const [session, ...others] = await sessions();
      assertEquals(others, []);
      assertEquals(
        [session!.service, session!.bytes_in, session!.bytes_out],
        ["echo", 5, 5],
      );
      assertMatch(session!.remote, /^127\.0\.0\.1:\d+$/);

      const shown = await run("status");
      assertEquals([shown.code, shown.err], [0, ""]);
      assertMatch(shown.out, /^table +\S+services\.toml$/m);
      assertMatch(shown.out, /^echo +builtin +on +1 +0 +0 +0 +0 B +0 B$/m);
      assertMatch(shown.out, /^closed +text +not enabled +0 /m);
      const asJson = JSON.parse((await run("status", "--json")).out);
      assertEquals(asJson.services, now.services);
      assertEquals(
        (await run("status", "-q")).out,
        "echo\nsleeper\nabout\nclosed\n",
      );
      // Standard output is no terminal here.
      assertMatch((await run("status", "--watch")).out, /^server +tcpmux /);

      const listed = await run("sessions");
      assertMatch(
        listed.out,
        new RegExp(
          `^ID +SERVICE .*\n *${session!.id}  echo +${session!.remote} `,
        ),
      );
      assertEquals((await run("sessions", "-q")).out, `${session!.id}\n`);
      assertEquals(
        JSON.parse((await run("sessions", "--json")).out)[0].id,
        session!.id,
      );
      assertEquals((await run("sessions", "-q", "--json")).code, 64);
      conn.close();
    }));

  test("escape what a terminal would obey", () => {
    const evil = `[services."\\u001b]0;x\\u0007"]\ntext = ""\n`;
    return withControlled(SERVICES, async ({ folder, run }) => {
      writeFileSync(
        join(folder, "services.toml"),
        tableOf(evil).replaceAll("{folder}", folder),
      );
      const { err, code } = await run("reload");
      assertEquals(code, 78); // no service is called so
      assert(!/[^\n\x20-\x7e]/.test(err), err);
    });
  });
});

describe("tcpmux kill", () => {
  test("ends a relayed session, and one of a program", () =>
    withControlled(SERVICES, async ({ server, run, sessions }) => {
      const echo = await ask(server.port, "echo");
      const sleeper = await ask(server.port, "sleeper");
      const other = await ask(server.port, "echo");
      const [first] = await sessions();
      const [program] = childrenOf(server.pid);
      assertEquals(
        await run("kill", String(first!.id)),
        { code: 0, out: "ended 1 session\n", err: "" },
      );
      await echo.readAll().catch(() => {});
      await server.logged(
        "connection",
        (line) =>
          line.outcome === "aborted" && line.reason === "ended by tcpmux kill",
      );
      assertEquals((await run("kill", "--service", "SLEEPER")).code, 0);
      await sleeper.readAll().catch(() => {});
      assertEquals((await server.record("sleeper")).outcome, "aborted");
      await until(
        "the program has ended",
        () => !childrenOf(server.pid).some(({ pid }) => pid === program!.pid),
      );

      // The other one goes on.
      await other.conn.write(bytes("x"));
      assertEquals(await other.read(), "x");
      for (
        const words of [
          ["--source", "192.0.2.0/24"],
          ["--service", "echo", "--source", "192.0.2.0/24"],
          ["--service", "about"],
          ["4711"],
        ]
      ) {
        const { code, err } = await run("kill", ...words);
        assertEquals(code, 69);
        assertMatch(err, /^tcpmux: no session has /);
      }
      for (const words of [[], ["1", "--service", "echo"], ["one"]]) {
        assertEquals((await run("kill", ...words)).code, 64);
      }
      assertEquals((await run("kill", "--source", "127.0.0.0/33")).code, 64);
      assertEquals((await run("kill", "--source", "127.0.0.0/8")).code, 0);
      await other.readAll().catch(() => {});
      assertEquals(await sessions(), []);
      for (const { conn } of [echo, sleeper, other]) conn.close();
    }));
});

describe("tcpmux disable and enable", () => {
  test("hold across reloads, and let sessions go on", () =>
    withControlled(SERVICES, async ({ server, run, status }) => {
      const { conn, ...before } = await ask(server.port, "again");
      assertEquals(before.reply, "+Go");
      assertEquals(await run("disable", "AGAIN"), {
        code: 0,
        out: "",
        err: "",
      });
      for (const name of ["echo", "again", "ECHO"]) {
        assertEquals(
          await exchange(server.port, `${name}\r\n`),
          NOT_AVAILABLE,
        );
      }
      assertEquals(
        await exchange(server.port, "HELP\r\n"),
        "sleeper\r\nabout\r\n",
      );
      assertEquals(await exchange(server.port, "about\r\n"), "+Go\r\nabout");
      await server.logged(
        "connection",
        ({ reason }) => reason === "the service echo is switched off",
      );
      assertMatch(
        (await run("status")).out,
        /^echo +builtin +switched off +1 /m,
      );
      assertEquals((await run("reload")).code, 0);
      await server.logged(
        "still switched off",
        (line) => line.services === "echo",
      );
      assertEquals((await status()).services[0]!.switched_off, true);
      assertEquals(await exchange(server.port, "echo\r\n"), NOT_AVAILABLE);

      await conn.write(bytes("on"));
      await conn.closeWrite();
      assertEquals(await readAll(conn), "on");
      conn.close();

      assertEquals((await run("enable", "echo")).code, 0);
      assertEquals(await exchange(server.port, "echo\r\n"), "+Go\r\n");
      assertMatch(await exchange(server.port, "HELP\r\n"), /^echo\r\n/);
    }));

  test("know no service that the table does not have", () =>
    withControlled(SERVICES, async ({ server, run }) => {
      const missing = await run("disable", "a/b c");
      assertEquals([missing.code, missing.out], [69, ""]);
      assertEquals(missing.err, 'tcpmux: no service is called "a/b c"\n');
      assertEquals((await run("enable", "nosuch")).code, 69);
      const closed = await run("enable", "closed");
      assertEquals(closed.code, 69);
      assertMatch(closed.err, /enabled = false for closed: change that/);
      assertEquals(await exchange(server.port, "closed\r\n"), NOT_AVAILABLE);
      assert(!server.log.some(({ command }) => command === "enable"));
    }));

  test("take effect at once under load, for those that wait too", () =>
    withControlled(SERVICES, async ({ server, run }) => {
      const early = await ask(server.port, "about"); // served before
      early.conn.close();
      let isOff = false;
      let late = 0;
      const clients = Array.from({ length: 8 }, async () => {
        for (let i = 0; i < 60; i++) {
          const wasOff = isOff;
          const said = await exchange(server.port, "about\r\n");
          if (wasOff && said !== NOT_AVAILABLE) late++;
          assertMatch(said, /^(\+Go\r\nabout|-Service not available\r\n)$/);
        }
      });
      assertEquals((await run("disable", "about")).code, 0);
      isOff = true;
      await Promise.all(clients);
      assertEquals(late, 0);
    }, "[server.penalties]\nenabled = false"));
});

describe("tcpmux reload", () => {
  test("says whether the table is in force, and what is wrong", () =>
    withControlled(SERVICES, async ({ server, folder, run, status }) => {
      const file = join(folder, "services.toml");
      const write = (text: string) =>
        writeFileSync(file, text.replaceAll("{folder}", folder));
      write(tableOf(`[services.new]\ntext = "new"\n`));
      assertEquals(
        await run("reload"),
        { code: 0, out: `${file}: 1 service, in force\n`, err: "" },
      );
      assertEquals(await exchange(server.port, "HELP\r\n"), "new\r\n");
      assertEquals((await status()).reload!.ok, true);

      write(tableOf(`[services.a]\nbuiltin = "nothing"\nxyz = 1\n`));
      const wrong = await run("reload");
      const checked = await tcpmux(["check", file]);
      assertEquals([wrong.code, wrong.out], [78, ""]);
      const lines = checked.err.split("\n").filter((line) =>
        line.startsWith(file)
      );
      assertEquals(lines.length, 2);
      assertEquals(
        wrong.err,
        `${lines.join("\n")}\n` +
          "tcpmux: 2 errors, so the old table stays in force\n",
      );
      const { reload, services } = await status();
      assertEquals(reload!.ok, false);
      assertMatch(reload!.error!, /builtin/);
      assertEquals(services.map(({ name }) => name), ["new"]);

      writeFileSync(file, "[server\n");
      assertEquals((await run("reload")).code, 78);
      assertEquals(await exchange(server.port, "HELP\r\n"), "new\r\n");
    }));

  test("changes nothing where the control socket cannot be had", () =>
    withControlled(SERVICES, async ({ server, folder, run, path }) => {
      const file = join(folder, "services.toml");
      writeFileSync(join(folder, "taken"), "");
      const other = `[services.new]\ntext = "new"\n`;
      writeFileSync(
        file,
        `[server]\ncontrol = "unix:${folder}/taken"\n${other}`,
      );
      const { code, err } = await run("reload");
      assertEquals(code, 74);
      assertMatch(err, /taken \(server\.control\): .* a path of its own\)$/m);
      assertMatch(await exchange(server.port, "HELP\r\n"), /^echo\r\n/);

      // One that can be had replaces the one by which it was asked for.
      writeFileSync(
        file,
        `[server]\ncontrol = "unix:${folder}/d.sock"\n${other}`,
      );
      assertEquals((await run("reload")).code, 0);
      assertEquals((await run("status")).code, 74);
      const status = await requestTo(`${folder}/d.sock`, "GET /status");
      assertEquals(status.json().services.length, 1);
      writeFileSync(file, `[server]\ncontrol = false\n${other}`);
      await requestTo(`${folder}/d.sock`, "POST /reload");
      assertEquals(
        await requestTo(`${folder}/d.sock`, "GET /status").catch(() => "none"),
        "none",
      );
      writeFileSync(file, tableOf(other).replaceAll("{folder}", folder));
      server.signal("SIGHUP");
      await until(
        "it is back",
        async () =>
          await requestTo(path, "GET /status").then(() => true, () => false),
      );
    }));
});

describe("tcpmux drain", () => {
  test("lets sessions end, and the process with the last one", () =>
    withControlled(SERVICES, async ({ server, run, status }) => {
      const { conn } = await ask(server.port, "echo");
      const first = await run("drain");
      assertEquals(first, {
        code: 0,
        out: "1 session left, then the server ends\n",
        err: "",
      });
      await server.logged("stopping", ({ by }) => by === "tcpmux drain");
      const now = await status();
      assertEquals([now.draining, now.listeners], [true, []]);
      assertMatch((await run("status")).out, /, draining$/m);
      // Once more is not "at once", as a second signal is.
      const waiting = run("drain", "--wait");
      await until(
        "it has asked, too",
        () =>
          server.log.filter(({ command }) => command === "drain").length === 2,
      );
      const late = await run("reload");
      assertEquals(late.code, 74);
      assertMatch(late.err, /the server is stopping/);
      await conn.write(bytes("still here"));
      assertEquals(await conn.read().then((read) => read!.length), 10);
      conn.close();
      assertEquals(await waiting, {
        code: 0,
        out: "the server has ended\n",
        err: "",
      });
      assertEquals((await server.exited).code, 0);
      assertEquals((await server.record("echo")).outcome, "served");
    }));

  test("asked for twice in one moment is not an end at once", () =>
    withControlled(SERVICES, async ({ server, path }) => {
      const { conn } = await ask(server.port, "echo");
      const head = "POST /drain HTTP/1.1\r\nHost: x\r\n\r\n";
      const sockets = Array.from({ length: 4 }, () => connect(path));
      const ended = sockets.map((socket) => {
        socket.on("error", () => {});
        return new Promise((resolve) => socket.resume().once("close", resolve));
      });
      server.signal("SIGSTOP"); // so that all are read in one moment
      for (const socket of sockets) socket.write(head + head);
      server.signal("SIGCONT");
      await Promise.all(ended);
      await server.logged("stopping");
      await conn.write(bytes("still here"));
      assertEquals(await conn.read().then((read) => read!.length), 10);
      conn.close();
      assertEquals((await server.exited).code, 0);
      assertEquals((await server.record("echo")).outcome, "served");
      assert(!server.log.some(({ message }) => message === "stopping now"));
    }));

  test("--wait returns when a server without sessions has ended", () =>
    withControlled(SERVICES, async ({ server, run }) => {
      assertEquals((await run("drain", "--wait", "-t", "5s")).code, 0);
      assertEquals((await server.exited).code, 0);
    }));

  test("--wait takes longer than any time-out", () =>
    withControlled(SERVICES, async ({ server, run }) => {
      await ask(server.port, "sleeper");
      assertEquals((await run("drain", "--wait", "-t", "2s")).code, 0);
      assertEquals((await server.exited).code, 0);
    }, 'drain_timeout = "3s"'));
});

describe("the protocol", () => {
  test("answers twenty clients at once, and hundreds in a row", () =>
    withControlled(SERVICES, async ({ path }) => {
      await Promise.all(
        Array.from({ length: 20 }, async () => {
          for (let i = 0; i < 15; i++) {
            const { code, json } = await requestTo(path, "GET /status");
            assertEquals([code, json().services.length], [200, 4]);
          }
        }),
      );
    }));

  test(
    "is what curl can speak",
    needs("curl"),
    () =>
      withControlled(SERVICES, async ({ path, server }) => {
        const curl = (...words: string[]) =>
          runCommand(["curl", "-sS", "--unix-socket", path, ...words]);
        const { out } = await curl("http://localhost/status");
        assertEquals(JSON.parse(out).services.length, 4);
        const { conn } = await ask(server.port, "echo");
        const killed = await curl(
          "-d",
          '{"service": "echo"}',
          "http://localhost/kill",
        );
        assertEquals(JSON.parse(killed.out), { ended: 1 });
        conn.close();
        const drained = await curl("-d", "", "http://localhost/drain?wait");
        assertEquals([drained.code, drained.err], [0, ""]);
        assertEquals((await server.exited).code, 0);
      }),
  );

  test("ends no session for what it does not understand", () =>
    withControlled(SERVICES, async ({ path, server, sessions }) => {
      const { conn } = await ask(server.port, "echo");
      for (
        const [body, why] of [
          ['{"id": "1", "service": "echo"}', 'takes no "id" "1" (give '],
          ['{"id": 1.5}', 'takes no "id" 1.5 (give '],
          ['{"id": null, "source": "any"}', 'takes no "id" null (give '],
          ['{"sevice": "ssh", "source": "any"}', 'does not know "sevice" ('],
          ['{"id": 1, "force": true}', 'does not know "force" ('],
          ['["echo"]', 'does not know "0" ('],
          ['{"service": ["echo"]}', 'takes "service" and "source" as text ('],
          ['{"id": 1, "service": "echo"}', 'takes either "id" or others ('],
          ["{}", 'takes either "id" or others ('],
          ["null", 'takes either "id" or others ('],
        ] as const
      ) {
        const { code, json } = await requestTo(path, "POST /kill", { body });
        assertEquals([body, code, json().error.code], [body, 400, "usage"]);
        assertStringIncludes(json().error.message, `kill ${why}`);
      }
      assertEquals((await sessions()).length, 1);
      conn.close();
    }));

  test("refuses what it does not know, and web pages", () =>
    withControlled(SERVICES, async ({ path, server }) => {
      const asking = async (
        what: string,
        options?: Parameters<typeof requestTo>[2],
      ) => {
        const { code, json } = await requestTo(path, what, options);
        return [code, json().error.code];
      };
      assertEquals(await asking("GET /nothing"), [404, "refused"]);
      assertEquals(await asking("GET /reload"), [405, "unsupported"]);
      assertEquals(await asking("POST /status"), [405, "unsupported"]);
      const headers = { Origin: "http://localhost" };
      assertEquals(
        await asking("POST /drain", { headers }),
        [403, "permission_denied"],
      );
      assertEquals(
        await asking("POST /services/%ff/disable"),
        [400, "usage"],
      );
      assertEquals(
        await asking("POST /kill", { body: "no JSON" }),
        [400, "usage"],
      );
      assertEquals(
        await asking("POST /kill", { body: '{"id": "1"}' }),
        [400, "usage"],
      );
      assertEquals(
        await asking("POST /kill", { body: " ".repeat(100_000) }),
        [413, "usage"],
      );
      assert(!server.log.some(({ message }) => message === "stopping"));
    }));
});
