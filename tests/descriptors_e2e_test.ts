/** More clients than descriptors or ports: nothing breaks, and all comes back. */
import { spawn } from "node:child_process";
import { describe, test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { pickTransport } from "../src/transport/pick.ts";
import type { Conn } from "../src/transport/transport.ts";
import { bytes, readAll, readLine } from "./support/bytes.ts";
import { connectTo, exchange } from "./support/client.ts";
import { inSmallNetwork, needsNamespace } from "./support/namespace.ts";
import { needs } from "./support/needs.ts";
import {
  programUnderTest,
  RunningServer,
  withServer,
} from "./support/server.ts";
import { untilGone, withUpstream } from "./support/upstream.ts";
import {
  descriptors,
  descriptorsBackTo,
  sleep,
  until,
} from "./support/wait.ts";

const transport = await pickTransport();

const OPEN_FILES = 64;
const MANY = 300;

/** Clients who ask for a service, or say nothing, and stay. */
async function attack(port: number, request: string): Promise<Conn[]> {
  const conns = await Promise.all(
    Array.from({ length: MANY }, () => connectTo(port).catch(() => undefined)),
  );
  const here = conns.filter((conn) => conn !== undefined);
  for (const conn of here) conn.write(bytes(request)).catch(() => {});
  return here;
}

function saidTimes({ log }: RunningServer, message: string): number {
  return log.filter((line) => line.message === message).length;
}

const limited = {
  program: ["prlimit", `--nofile=${OPEN_FILES}`, ...programUnderTest()],
};

const table = (service: string) =>
  "[server]\nmax_connections_per_source = 0\n" +
  `[services.busy]\n${service}\n[services.about]\ntext = "about"\n`;

/** The server survives the attack, says so once and serves on. */
async function withstand(
  server: RunningServer,
  request: string,
): Promise<void> {
  const { port, pid } = server;
  assertEquals(await exchange(port, "about\r\n"), "+Go\r\nabout");
  await server.logged("limits are lowered to fit the open-file limit");
  const before = descriptors(pid);
  for (let wave = 0; wave < 2; wave++) {
    const conns = await attack(port, request);
    await until(
      "it says that it is full",
      () => saidTimes(server, "full: new clients are refused") === wave + 1,
    );
    for (const conn of conns) conn.abort();
    await until(
      "it says that there is room",
      () => saidTimes(server, "there is room again") === wave + 1,
    );
    assertEquals(await exchange(port, "about\r\n"), "+Go\r\nabout");
  }
  await descriptorsBackTo(before, pid);
  assertEquals(saidTimes(server, "full: new clients are refused"), 2);
  assertEquals(saidTimes(server, "cannot accept connections, retrying"), 0);
  const short = server.log.filter(({ reason }) =>
    String(reason).includes("out of file descriptors")
  );
  assertEquals(short, []);
}

describe(`with ${OPEN_FILES} descriptors`, needs("prlimit"), () => {
  test("it withstands clients that say nothing", () =>
    withServer(
      table('builtin = "echo"'),
      (server) => withstand(server, ""),
      limited,
    ));

  test("it withstands more sessions than that", () =>
    withServer(
      table('builtin = "echo"'),
      (server) => withstand(server, "busy\r\n"),
      limited,
    ));

  test("it withstands as many that want an upstream", () =>
    withUpstream(untilGone, (port) =>
      withServer(
        table(`connect = "127.0.0.1:${port}"`),
        (server) => withstand(server, "busy\r\n"),
        limited,
      )));

  test("it withstands as many that want a program", () =>
    withServer(
      table('exec = ["cat"]'),
      (server) => withstand(server, "busy\r\n"),
      limited,
    ));
});

/** Without the permission to read, Deno cannot tell us the limit. */
const unknown = "Deno" in globalThis &&
    process.env.TCPMUX_TEST_PROGRAM === undefined
  ? needs("prlimit")
  : { skip: "only Deno keeps its open-file limit from a program" };

test(
  "with a limit that it cannot know it stops accepting, and recovers",
  unknown,
  async () => {
    const words = programUnderTest().map((word) =>
      word === "-A" ? "--allow-net" : word
    );
    const args = [`--nofile=${OPEN_FILES}`, ...words];
    args.push("serve", "--listen=127.0.0.1:0", "--log-format=json");
    const server = new RunningServer(
      spawn("prlimit", args, { stdio: ["ignore", "inherit", "pipe"] }),
    );
    try {
      const port = Number(/:(\d+)$/.exec(await server.serving())![1]);
      const before = descriptors(server.pid);
      const conns = await attack(port, "echo\r\n");
      await server.logged("cannot accept connections, retrying");
      await sleep(300); // it goes on trying meanwhile
      assertEquals(saidTimes(server, "cannot accept connections, retrying"), 1);
      assertEquals(saidTimes(server, "accepting again"), 0);
      for (const conn of conns) conn.abort();
      await server.logged("accepting again");
      assertMatch(await exchange(port, "about\r\n"), /^\+Go\r\n/);
      await descriptorsBackTo(before, server.pid);
      assertEquals(saidTimes(server, "cannot accept connections, retrying"), 1);
    } finally {
      await server.stop();
    }
  },
);

describe("without a port for another connection", needsNamespace(), () => {
  test("an upstream is unavailable, and comes back", () =>
    withServer(
      '[services.echo]\nbuiltin = "echo"\n' +
        '[services.far]\ntcpmux = "127.0.0.1:7777/echo"\n',
      async (server, folder) => {
        const conns: Conn[] = [];
        const come = async () => {
          const conn = await transport.connect({
            transport: "unix",
            path: `${folder}/mux`,
          }).conn;
          await conn.write(bytes("far\r\n"));
          const reply = await readLine(conn);
          if (reply === "+Go\r\n") conns.push(conn);
          else conn.close();
          return reply;
        };
        let reply = "+Go\r\n";
        while (reply === "+Go\r\n" && conns.length < 20) reply = await come();
        assertEquals(reply, "-Service temporarily unavailable\r\n");
        assert(conns.length > 0 && conns.length <= 4, `${conns.length}`);
        const { reason } = await server.logged("connection", ({ outcome }) =>
          outcome === "failed");
        assertEquals(
          reason,
          "cannot connect to 127.0.0.1:7777: this machine does not have the " +
            "address, or no port is free (EADDRNOTAVAIL)",
        );
        const last = conns.pop()!;
        await last.write(bytes("still here"));
        await last.closeWrite();
        assertEquals(await readAll(last), "still here");
        last.close();
        await until("a port is free", async () =>
          await come() === "+Go\r\n");
        for (const conn of conns) conn.close();
      },
      {
        program: [...inSmallNetwork("40000 40003"), ...programUnderTest()],
        args: ["--listen=unix:./mux", "--listen=127.0.0.1:7777"],
      },
    ));
});
