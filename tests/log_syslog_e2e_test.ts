/** The log by syslog, to Debian's rsyslogd and to those who do not listen. */
import { execFileSync, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { hostname } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { describe, test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { exchange } from "./support/client.ts";
import { freePort, withFolder } from "./support/daemon.ts";
import {
  type LoggingServer,
  refusesPlace,
  startLogging,
  withLogging,
} from "./support/logging.ts";
import { needs } from "./support/needs.ts";
import { type Message, Rsyslog } from "./support/rsyslog.ts";
import { programUnderTest } from "./support/server.ts";
import { until } from "./support/wait.ts";

const DROPPED = "log lines were dropped, the log could not be written in time";
const DAEMON = 3 * 8;

function isDeno(): boolean {
  return /\bdeno$/.test(programUnderTest()[0]!);
}

/** Whether the program under test can send datagrams to a Unix socket. */
function sendsUnixDatagrams(): boolean {
  const [program] = programUnderTest();
  if (!/\bnode\b[^/]*$/.test(program!)) return true;
  const [, major, minor] = /^v(\d+)\.(\d+)/.exec(
    String(execFileSync(program!, ["--version"])),
  )!;
  return Number(major) > 26 || Number(major) === 26 && Number(minor) >= 1;
}

/** Runs `use` with a server that logs to an rsyslogd, which listens. */
function withBoth(
  to: (rsyslog: Rsyslog) => string,
  use: (rsyslog: Rsyslog, server: LoggingServer) => Promise<void>,
  keys = "",
): Promise<void> {
  return withFolder(async (folder) => {
    const rsyslog = await Rsyslog.in(folder);
    await rsyslog.run(async () => {
      const log = `to = "${to(rsyslog)}"\n${keys}`;
      const server = await startLogging(folder, { log });
      try {
        await server.ready();
        await use(rsyslog, server);
        assertEquals(await server.stop(), 0);
        assertEquals(server.stderr, "");
      } finally {
        await server.stop();
      }
    });
  });
}

const WAYS: Record<string, (rsyslog: Rsyslog) => string> = {
  udp: ({ port }) => `syslog:udp://127.0.0.1:${port}`,
  tcp: ({ port }) => `syslog:tcp://localhost:${port}`,
};

/** A client that asks for what is not there. */
const ASKS = 'no"]\\such';

function isRefusal({ text }: Message): boolean {
  return text.includes("outcome=unknown");
}

describe("the log by syslog", needs("rsyslogd"), () => {
  for (const [name, to] of Object.entries(WAYS)) {
    test(`${name}: RFC 5424, with the fields as structured data`, () =>
      withBoth(to, async (rsyslog, server) => {
        await exchange(server.port, `${ASKS}\r\n`);
        const message = await rsyslog.message(isRefusal);
        assertEquals(
          [message.pri, message.app, message.process, message.id],
          [DAEMON + 6, "tcpmux", String(server.pid), "connection"],
        );
        assertEquals(message.host, hostname());
        assertMatch(message.time, /^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
        assertMatch(
          message.text,
          /^connection conn=\d+ remote=127\.0\.0\.1:\d+ local=\S+ outcome=unknown /,
        );
        assertMatch(
          message.data,
          /^\[tcpmux@32473 conn="\d+" remote="127\.0\.0\.1:\d+" .* outcome="unknown" .*\]$/,
        );
        // What ends a value or the data has a backslash before it.
        assert(message.data.includes(String.raw`\"no\\\"\]\\\\such\"`));
        await server.stop();
        await rsyslog.message(({ id }) => id === "stopped");
      }));
  }

  test(
    "the socket of this machine: what syslog(3) writes",
    {
      skip: !sendsUnixDatagrams(),
    },
    () =>
      withBoth(
        ({ socket }) => `syslog:unix:${socket}`,
        async (rsyslog, server) => {
          await exchange(server.port, `${ASKS}\r\n`);
          const message = await rsyslog.message(isRefusal);
          assertEquals(
            [message.pri, message.app, message.process],
            [DAEMON + 6, "tcpmux", String(server.pid)],
          );
          assertMatch(
            message.text,
            /^ connection conn=\d+ remote=127\.0\.0\.1:\d+ /,
          );
          await server.stop();
          await rsyslog.message(({ text }) => text === " stopped");
        },
      ),
  );

  test("in the format that the table says, and JSON", () =>
    withBoth(
      WAYS.tcp!,
      async (rsyslog, server) => {
        await exchange(server.port, `${ASKS}\r\n`);
        const message = await rsyslog.message(({ text }) =>
          text.includes(`"outcome":"unknown"`)
        );
        assertEquals(
          [message.pri, message.app, message.process, message.data],
          [DAEMON + 6, "tcpmux", String(server.pid), "-"],
        );
        assertEquals(JSON.parse(message.text).message, "connection");
      },
      `format = "json"\nsyslog_format = "rfc3164"\n`,
    ));

  for (const by of ["tcp", "unix"]) {
    test(`${by}: what cannot be sent waits for the server's return`, {
      skip: by === "unix" && !sendsUnixDatagrams(),
    }, () =>
      withFolder(async (folder) => {
        const rsyslog = await Rsyslog.in(folder);
        const to = by === "tcp"
          ? WAYS.tcp!(rsyslog)
          : `syslog:unix:${rsyslog.socket}`;
        const log = `to = "${to}"`;
        let server: LoggingServer | undefined;
        try {
          await rsyslog.run(async () => {
            server = await startLogging(folder, { log });
            await server.ready();
            await rsyslog.message(({ text }) => text.includes("serving"));
          });
          for (let i = 0; i < 20; i++) {
            await exchange(server!.port, `${ASKS}\r\n`);
          }
          await until("it says so", () => server!.stderr.endsWith("\n"));
          assertMatch(
            server!.stderr,
            /^tcpmux: cannot send the log to syslog:[^\n]* \(the server goes on; the log will say how many lines it lacks\)\n$/,
          );
          await rsyslog.run(async () => {
            await until(
              () =>
                `all are there: ${rsyslog.messages.filter(isRefusal).length}`,
              () => rsyslog.messages.filter(isRefusal).length >= 20,
              60_000,
            );
          });
        } finally {
          await server?.stop();
        }
      }));
  }
});

describe("a syslog", () => {
  for (
    const [to, message] of [
      [
        "syslog:local",
        /syslog: must be followed by unix:, udp:\/\/ or tcp:\/\//,
      ],
      ["syslog:udp://:514", /the host is missing/],
      ["syslog:udp://unix:/dev/log", /udp:\/\/ must be followed by HOST:PORT/],
      ["syslog:tcp://unix:@log", /tcp:\/\/ must be followed by HOST:PORT/],
      ["syslog:tcp://127.0.0.1:0", /a port is from 1 to 65535/],
      ["syslog:unix:log", /unix: must be followed by a path/],
    ] as const
  ) {
    test(`${to} is an error of the table`, () => refusesPlace(to, message));
  }

  test("whose socket is not there is an error at the start", () =>
    withFolder(async (folder) => {
      const log = `to = "syslog:unix:${folder}/none"`;
      const server = await startLogging(folder, { log });
      assertEquals(await server.exited, 74, server.stderr);
      assertMatch(
        server.stderr,
        /^tcpmux: cannot send the log to syslog:unix:\S+\/none: [^\n]*no such file[^\n]* \([^\n]*\)\n$/,
      );
    }));

  test("that takes datagrams, where the runtime has none, as well", {
    skip: sendsUnixDatagrams(),
    ...needs("rsyslogd"),
  }, () =>
    withFolder(async (folder) => {
      const rsyslog = await Rsyslog.in(folder);
      await rsyslog.run(async () => {
        const log = `to = "syslog:unix:${rsyslog.socket}"`;
        const server = await startLogging(folder, { log });
        assertEquals(await server.exited, 74, server.stderr);
        assertMatch(server.stderr, /Node from 26\.1 on/);
      });
    }));

  test("that takes a stream gets lines", () =>
    withFolder(async (folder) => {
      const path = join(folder, "stream");
      let got = "";
      const peers = new Set<Socket>();
      const syslog = createServer((socket) => {
        peers.add(socket);
        socket.on("data", (bytes) => got += String(bytes));
      });
      await new Promise<void>((resolve) => syslog.listen(path, resolve));
      const server = await startLogging(folder, {
        log: `to = "syslog:unix:${path}"`,
      });
      try {
        await server.ready();
        await exchange(server.port, "none\r\n");
        assertEquals(await server.stop(), 0);
        await until("all has arrived", () => got.endsWith(": stopped\n"));
        for (const line of got.trimEnd().split("\n")) {
          assertMatch(
            line,
            /^<(28|30)>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d tcpmux\[\d+\]: /,
          );
        }
      } finally {
        await server.stop();
        for (const peer of peers) peer.destroy();
        syslog.close();
      }
    }));
});

/** Has the server write so many long lines, while it serves others. */
async function flood(port: number, times: number): Promise<void> {
  const clients = Array.from({ length: 20 }, async () => {
    for (let i = 0; i < times / 20; i++) {
      await exchange(port, `${"x".repeat(250)}\r\n`);
    }
  });
  await Promise.all(clients);
  assertEquals(await exchange(port, "echo\r\nhi"), "+Go\r\nhi");
}

/** Runs `use` with a server that logs by TCP to what accepts and never reads. */
function withStandstill(
  use: (server: LoggingServer, peers: ReadonlySet<Socket>) => Promise<void>,
): Promise<void> {
  return withFolder(async (folder) => {
    const peers = new Set<Socket>();
    const syslog = createServer({ pauseOnConnect: true }, (socket) => {
      peers.add(socket);
      socket.on("error", () => {});
    });
    await new Promise<void>((resolve) =>
      syslog.listen(0, "127.0.0.1", resolve)
    );
    const { port } = syslog.address() as { port: number };
    const server = await startLogging(folder, {
      log: `to = "syslog:tcp://127.0.0.1:${port}"`,
    });
    try {
      await server.ready();
      await use(server, peers);
      assertEquals(await server.stop(), 0);
    } finally {
      await server.stop();
      for (const peer of peers) peer.destroy();
      syslog.close();
    }
  });
}

describe("a syslog that stands still holds up nobody", () => {
  test("by TCP, and learns later how many lines were lost", () =>
    withStandstill(async (server, peers) => {
      let got = "";
      await flood(server.port, 12_000);
      for (const peer of peers) {
        peer.on("data", (bytes) => got += String(bytes));
        peer.resume();
      }
      await until("the loss is said", () => got.includes(DROPPED));
      assertMatch(got, /^\d+ <30>1 20/);
    }));

  test("by TCP, nor the end of the server, which waits a second", () =>
    withStandstill((server) => flood(server.port, 8_000)));

  test("by a Unix socket that nobody reads", {
    skip: !sendsUnixDatagrams(),
    ...needs("perl"),
  }, () =>
    withFolder(async (folder) => {
      const path = join(folder, "still");
      const script = "use Socket; socket(S, AF_UNIX, SOCK_DGRAM, 0);" +
        `bind(S, sockaddr_un("${path}")) or die; sleep 300`;
      const syslog = spawn("perl", ["-e", script], { stdio: "inherit" });
      const exited = once(syslog, "exit");
      try {
        await until("it is bound", () => existsSync(path));
        const log = `to = "syslog:unix:${path}"`;
        await withLogging({ log }, async (server) => {
          await flood(server.port, 2000);
          await until("it says so", () => server.stderr.endsWith("\n"));
          assertEquals(await exchange(server.port, "echo\r\nhi"), "+Go\r\nhi");
          assertEquals(await server.stop(), 0);
        });
      } finally {
        process.kill(syslog.pid!, "SIGKILL");
        await exited;
      }
    }));

  // On Deno, nobody hears of a datagram that is refused.
  test("by UDP where nobody listens, and a warning says what is lost", {
    skip: isDeno(),
  }, () =>
    withFolder(async (folder) => {
      const port = await freePort();
      const server = await startLogging(folder, {
        log: `to = "syslog:udp://127.0.0.1:${port}"`,
      });
      const receiver = createSocket("udp4");
      try {
        await server.ready();
        await flood(server.port, 200);
        await until("it says so", () => server.stderr.endsWith("\n"));
        assertMatch(
          server.stderr,
          /^tcpmux: cannot send the log to syslog:udp:\/\/127\.0\.0\.1:\d+: [^\n]*connection refused[^\n]*\n$/,
        );
        let got = "";
        receiver.on("message", (bytes) => got += String(bytes));
        await new Promise<void>((resolve) =>
          receiver.bind(port, "127.0.0.1", resolve)
        );
        await until("the loss is said", async () => {
          await exchange(server.port, "echo\r\nhi");
          return got.includes(DROPPED);
        });
        assertEquals(await server.stop(), 0);
      } finally {
        await server.stop();
        receiver.close();
      }
    }));

  test("by UDP where nobody listens", () =>
    withFolder(async (folder) => {
      const log = `to = "syslog:udp://127.0.0.1:${await freePort()}"`;
      const server = await startLogging(folder, { log });
      try {
        await server.ready();
        await flood(server.port, 200);
        assertEquals(await server.stop(), 0);
      } finally {
        await server.stop();
      }
    }));

  test("whose name is unknown", () =>
    withFolder(async (folder) => {
      const server = await startLogging(folder, {
        log: `to = "syslog:udp://no-such-host.invalid"`,
      });
      try {
        await server.ready();
        await flood(server.port, 20);
        await until("it says so", () => server.stderr.endsWith("\n"));
        assertMatch(server.stderr, /no-such-host\.invalid/);
        assertEquals(await server.stop(), 0);
      } finally {
        await server.stop();
      }
    }));
});
