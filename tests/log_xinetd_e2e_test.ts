/** The log in xinetd's format, beside that of Debian's xinetd. */
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { assertEquals, assertMatch } from "@std/assert";
import { readAll } from "./support/bytes.ts";
import { ask, connectTo, exchange } from "./support/client.ts";
import { freePort, withDaemon, withFolder } from "./support/daemon.ts";
import { startLogging, textOf, writeTable } from "./support/logging.ts";
import { needs } from "./support/needs.ts";
import { mustRun } from "./support/run.ts";
import { until } from "./support/wait.ts";

/** The services of both, with their programs and their limits. */
const SERVICES: Record<
  string,
  { script: string; xinetd: string; own: string }
> = {
  good: { script: "cat", xinetd: "", own: "" },
  bad: { script: "cat; exit 3", xinetd: "", own: "" },
  killed: { script: "cat; kill -TERM $$", xinetd: "", own: "" },
  single: {
    script: "cat",
    xinetd: "instances = 1",
    own: "max_connections = 1",
  },
  each: {
    script: "cat",
    xinetd: "per_source = 1",
    own: "max_connections_per_source = 1",
  },
};

/** What both have logged, without times and process IDs. */
function events(log: string): string[] {
  return log.split("\n")
    .filter((line) => /^\S+ (START|EXIT|FAIL): /.test(line))
    .map((line) =>
      line.replace(/^\d\d\/\d{1,2}\/\d{1,2}@\d\d:\d\d:\d\d: /, "")
        .replace(/ pid=[1-9]\d*/, " pid=PID")
    );
}

/** xinetd counts turns of the clock's second: one may come in between. */
function untimed(all: readonly string[]): string[] {
  return all.map((one) => one.replace(/ duration=\d+\(/, " duration=TIME("));
}

/** The sessions: `connect` has each client come to a service. */
async function sessions(
  connect: (name: string) => Promise<{ end(): Promise<void> }>,
  seen: (event: string) => Promise<unknown>,
): Promise<void> {
  for (const name of ["good", "bad", "killed"]) {
    await (await connect(name)).end();
    await seen(`EXIT: ${name} `);
  }
  for (const name of ["single", "each"]) {
    const first = await connect(name);
    await seen(`START: ${name} `);
    await (await connect(name)).end();
    await seen(`FAIL: ${name} `);
    await first.end();
    await seen(`EXIT: ${name} `);
  }
}

function seenIn(file: string): (event: string) => Promise<unknown> {
  return (event) =>
    until(
      () => `${event} is in ${textOf(file)}`,
      () => textOf(file).includes(event),
    );
}

async function programs(folder: string): Promise<string> {
  for (const [name, { script }] of Object.entries(SERVICES)) {
    const file = join(folder, name);
    writeFileSync(file, `#!/bin/sh\n${script}\n`);
    chmodSync(file, 0o755);
  }
  return String((await mustRun(["id", "-un"])).stdout).trim();
}

/** What Debian's xinetd logs of those sessions. */
async function ofXinetd(folder: string): Promise<string[]> {
  const user = await programs(folder);
  const [log, conf] = [join(folder, "log"), join(folder, "xinetd.conf")];
  const ports: Record<string, number> = {};
  const up = await freePort();
  const entry = (name: string, port: number, keys: string) =>
    `service ${name}\n{\n  type = UNLISTED\n  socket_type = stream\n` +
    `  protocol = tcp\n  wait = no\n  user = ${user}\n  bind = 127.0.0.1\n` +
    `  port = ${port}\n  server = ${keys}\n}\n`;
  let text = `defaults\n{\n  log_type = FILE ${log}\n` +
    "  log_on_success = PID HOST EXIT DURATION\n  log_on_failure = HOST\n}\n" +
    entry("up", up, "/bin/true\n  log_on_success =");
  for (const [name, { xinetd }] of Object.entries(SERVICES)) {
    ports[name] = await freePort();
    text += entry(name, ports[name], `${join(folder, name)}\n  ${xinetd}`);
  }
  writeFileSync(conf, text);
  const command = ["xinetd", "-dontfork", "-stayalive", "-f", conf];
  command.push("-pidfile", join(folder, "pid"));
  await withDaemon(command, up, () =>
    sessions(async (name) => {
      const conn = await connectTo(ports[name]!);
      return {
        async end() {
          await conn.closeWrite().catch(() => {}); // it has been refused
          await readAll(conn).catch(() => {});
          conn.close();
        },
      };
    }, seenIn(log)));
  return events(textOf(log)).filter((event) => !event.includes(": up "));
}

/** What tcpmux logs of the same ones. */
async function ofTcpmux(folder: string): Promise<string[]> {
  await programs(folder);
  const log = join(folder, "log");
  const table = Object.entries(SERVICES).map(([name, { own }]) =>
    `[services.${name}]\nexec = ["${join(folder, name)}"]\n${own}\n`
  ).join("");
  const server = await startLogging(folder, {
    log: `to = "${log}"\nformat = "xinetd"`,
    table,
  });
  try {
    await server.ready();
    await sessions(async (name) => {
      const { conn } = await ask(server.port, name);
      return {
        async end() {
          await conn.closeWrite().catch(() => {}); // it has been refused
          await readAll(conn).catch(() => {});
          conn.close();
        },
      };
    }, seenIn(log));
  } finally {
    await server.stop();
  }
  return events(textOf(log)).filter((event) => !event.includes(": tcpmux "));
}

describe("the log in the format of xinetd", () => {
  test("is what Debian's xinetd writes of the same sessions", {
    ...needs("xinetd"),
  }, () =>
    withFolder((theirs) =>
      withFolder(async (ours) => {
        assertEquals(
          untimed(await ofTcpmux(ours)),
          untimed(await ofXinetd(theirs)),
        );
      })
    ));

  test("has a line for each client that gets no service, and for others", () =>
    withFolder(async (folder) => {
      const file = join(folder, "log");
      const server = await startLogging(folder, {
        log: `to = "${file}"\nformat = "xinetd"`,
        table: `[services.closed]\ntext = "x"\ndeny = ["any"]\n` +
          `[services.text]\ntext = "x"\n`,
      });
      try {
        await server.ready();
        for (const name of ["closed", "none", "HELP", "text", "\x01"]) {
          await exchange(server.port, `${name}\r\n`);
        }
        assertEquals(await server.stop(), 0);
        const lines = textOf(file).trimEnd().split("\n");
        for (const line of lines) {
          assertMatch(line, /^\d\d\/\d{1,2}\/\d{1,2}@\d\d:\d\d:\d\d: [A-Z]+: /);
        }
        const aborted = "FAIL: tcpmux aborted from=127.0.0.1"; // it is up
        assertEquals(
          events(lines.join("\n")).filter((one) => one !== aborted),
          [
            "FAIL: tcpmux address from=127.0.0.1",
            "FAIL: tcpmux unknown from=127.0.0.1",
            "START: tcpmux pid=0 from=127.0.0.1",
            "START: text pid=0 from=127.0.0.1",
            "EXIT: text status=0 pid=0 duration=0(sec)",
            "FAIL: tcpmux malformed from=127.0.0.1",
          ],
        );
        assertMatch(lines.at(-1)!, /: NOTICE: stopped$/);
      } finally {
        await server.stop();
      }
    }));

  test("says how sessions end that began before a reload", () =>
    withFolder(async (folder) => {
      const [one, two] = [join(folder, "one"), join(folder, "two")];
      const table = `[services.echo]\nbuiltin = "echo"\n` +
        `[services.cat]\nexec = ["cat"]\n`;
      const server = await startLogging(folder, {
        log: `to = "${one}"`,
        table,
      });
      let reloads = 0;
      /** Has it log so from now on. */
      const reload = async (log: string) => {
        writeTable(folder, log, table);
        server.signal("SIGHUP");
        reloads++;
        await until("it has reloaded", () => {
          const all = textOf(one) + textOf(two) + server.stderr;
          return all.split("reloaded table").length > reloads;
        });
      };
      /** Has a client go, and gives what is logged of it. */
      const endOf = async ({ conn }: Awaited<ReturnType<typeof ask>>) => {
        const before = events(textOf(two)).length;
        await conn.closeWrite();
        await readAll(conn);
        conn.close();
        return await until("it is logged", () => events(textOf(two))[before]);
      };
      try {
        await server.ready();
        const echo = await ask(server.port, "echo");
        await reload(`to = "${one}"\nformat = "xinetd"`);
        const cats = [];
        for (let i = 0; i < 2; i++) cats.push(await ask(server.port, "cat"));
        await until("they began", () => events(textOf(one)).length === 2);
        await reload(`to = "${two}"\nformat = "xinetd"`);
        const exit = "status=0 pid=PID duration=TIME(sec)";
        const began = [await endOf(echo), await endOf(cats[0]!)];
        assertEquals(untimed(began), [
          `EXIT: echo ${exit.replace("PID", "0")}`,
          `EXIT: cat ${exit}`,
        ]);
        // While ends are not logged, nothing is kept for them.
        await reload('level = "info"');
        await reload(`to = "${two}"\nformat = "xinetd"`);
        assertEquals(untimed([await endOf(cats[1]!)]), [
          `EXIT: cat ${exit.replace("PID", "0")}`,
        ]);
        assertEquals(await server.stop(), 0);
      } finally {
        await server.stop();
      }
    }));
});
