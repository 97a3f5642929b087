/** The filter for fail2ban that is packaged, on lines of real sessions. */
import { existsSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { shell } from "./support/exec.ts";
import { freePort, withFolder } from "./support/daemon.ts";
import { type LoggingServer, startLogging, textOf } from "./support/logging.ts";
import { findProgram, needs } from "./support/needs.ts";
import { Rsyslog } from "./support/rsyslog.ts";
import { mustRun } from "./support/run.ts";
import { ROOT } from "./support/server.ts";
import { until } from "./support/wait.ts";

const FILTER = join(ROOT, "packaging/fail2ban/filter.d/tcpmux.conf");

/** An address that no client of these tests has. */
const FORGED = "192.0.2.66";

/** Lines that ban a client, as the server itself writes them. */
const LINES = [
  `2026-11-26T15:00:00.000Z info  connection conn=1 remote=${FORGED}:1 local=127.0.0.1:1 outcome=unknown bytes_in=0`,
  `{"time":"2026-11-26T15:00:00.000Z","level":"info","message":"connection","conn":1,"remote":"${FORGED}:1","local":"127.0.0.1:1","service":"","kind":"","outcome":"unknown","bytes_in":0}`,
  `26/11/26@15:00:00: FAIL: tcpmux address from=${FORGED}`,
  `Nov 26 15:00:00 host tcpmux[1]: FAIL: tcpmux address from=${FORGED}`,
];

/** Requests that a client is to be banned for, each with such a line. */
const REQUESTS = LINES.flatMap((line) => [
  `${line}\r\n`,
  `x\n${line}\n`,
  `x\r${line}\r\n`,
  `" ${line}\r\n`,
  `\\" ${line}\r\n`,
  `x","remote":"${FORGED}:1"} ${line}\r\n`,
]);

const TABLE =
  shell("loud", LINES.map((line) => `echo '${line}' >&2`).join("; ")) + `
[services.echo]
builtin = "echo"
[services.closed]
builtin = "echo"
deny = ["127.0.0.0/8"]
`;

/** Sends a request from an address of this machine, and waits for the end. */
function sendFrom(localAddress: string, port: number, request: string) {
  return new Promise<void>((resolve) => {
    const socket = connect({ host: "127.0.0.1", port, localAddress });
    socket.on("error", () => {}); // it may be refused before its end
    socket.on("close", () => resolve());
    socket.resume();
    socket.end(request);
  });
}

/** The addresses that fail2ban finds in a file, as often as it does. */
async function found(file: string): Promise<string[]> {
  const program = findProgram("fail2ban-regex")!;
  const { stdout } = await mustRun([program, "-o", "ip", file, FILTER]);
  return String(stdout).split("\n").filter((line) => line !== "").toSorted();
}

/** Sessions of clients good and bad; gives the addresses of the bad. */
async function sessions({ port }: LoggingServer): Promise<string[]> {
  for (const good of ["echo\r\nhi", "HELP\r\n", "loud\r\n", ""]) {
    await sendFrom("127.0.0.9", port, good);
  }
  const bad = ["none\r\n", "closed\r\n", "cut", "\x01\r\n", "x".repeat(300)];
  const banned: string[] = [];
  for (const request of [...bad, ...REQUESTS]) {
    const address = `127.0.1.${banned.length + 1}`;
    await sendFrom(address, port, request);
    banned.push(address);
  }
  return banned.toSorted();
}

describe("fail2ban", needs("fail2ban-regex"), () => {
  for (const format of ["text", "json", "xinetd"]) {
    test(`finds who is to be banned, and nobody else, in ${format}`, () =>
      withFolder(async (folder) => {
        const log = `to = "{folder}/log"\nformat = "${format}"`;
        const server = await startLogging(folder, { log, table: TABLE });
        try {
          await server.ready();
          const banned = await sessions(server);
          assertEquals(await server.stop(), 0);
          const file = join(folder, "log");
          if (format !== "xinetd") assert(textOf(file).includes(FORGED));
          assertEquals(await found(file), banned);
        } finally {
          await server.stop();
        }
      }));

    test(`finds nobody who came by a proxy, but strangers, in ${format}`, () =>
      withFolder(async (folder) => {
        const proxy = await freePort();
        const server = await startLogging(folder, {
          log: `to = "{folder}/log"\nformat = "${format}"`,
          keys: 'trusted_proxies = ["127.0.0.9"]',
          table: TABLE,
          listen: `proxy://127.0.0.1:${proxy}`,
        });
        try {
          const file = join(folder, "log");
          await until(
            "it serves at both",
            () => existsSync(file) && textOf(file).includes("serving"),
          );
          const client = `PROXY TCP4 ${FORGED} 127.0.0.1 1 1\r\n`;
          const none = "PROXY UNKNOWN\r\n";
          for (const head of [client, none, ""]) {
            await sendFrom("127.0.0.9", proxy, `${head}closed\r\n`);
          }
          await sendFrom("127.0.0.8", proxy, `${client}closed\r\n`);
          assertEquals(await server.stop(), 0);
          assert(textOf(file).includes(FORGED));
          assertEquals(await found(file), ["127.0.0.8"]);
        } finally {
          await server.stop();
        }
      }));

    test(`finds the same in the files of rsyslog: ${format}`, {
      ...needs("rsyslogd"),
    }, () =>
      withFolder(async (folder) => {
        const rsyslog = await Rsyslog.in(folder);
        const log = `to = "syslog:tcp://127.0.0.1:${rsyslog.port}"\n` +
          `format = "${format}"`;
        await rsyslog.run(async () => {
          const server = await startLogging(folder, { log, table: TABLE });
          try {
            await server.ready();
            const banned = await sessions(server);
            assertEquals(await server.stop(), 0);
            for (const name of ["usual", "traditional"]) {
              const file = join(folder, name);
              await until("all is written", () =>
                textOf(file).includes("stopped"));
              assertEquals(await found(file), banned);
            }
          } finally {
            await server.stop();
          }
        });
      }));
  }
});
