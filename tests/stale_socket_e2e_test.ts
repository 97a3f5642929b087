/** The file of a Unix socket: left behind by the dead, kept by the living. */
import { spawn } from "node:child_process";
import {
  existsSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { pickTransport } from "../src/transport/pick.ts";
import { bytes, readAll } from "./support/bytes.ts";
import { tcpmux } from "./support/command.ts";
import { withFolder } from "./support/daemon.ts";
import { needs } from "./support/needs.ts";
import { programUnderTest, RunningServer } from "./support/server.ts";
import { until } from "./support/wait.ts";

const transport = await pickTransport();
const REMOVED = "removed the socket file of a server that has died";

function serveWords(folder: string): string[] {
  const file = join(folder, "services.toml");
  writeFileSync(file, '[services.about]\ntext = "about"\n');
  return [
    "serve",
    "-c",
    file,
    `--listen=unix:${folder}/mux`,
    "--log-format=json",
  ];
}

function start(folder: string): RunningServer {
  const [program, ...words] = [...programUnderTest(), ...serveWords(folder)];
  return new RunningServer(
    spawn(program!, words, { stdio: ["ignore", "inherit", "pipe"] }),
  );
}

async function about(folder: string): Promise<string> {
  const path = join(folder, "mux");
  const conn = await transport.connect({ transport: "unix", path }).conn;
  await conn.write(bytes("about\r\n"));
  const said = await readAll(conn);
  conn.close();
  return said;
}

/** Leaves the socket of a server that was killed behind. */
async function leaveOne(folder: string): Promise<void> {
  const killed = start(folder);
  await killed.serving();
  killed.signal("SIGKILL");
  await killed.exited;
  assert(existsSync(join(folder, "mux")));
}

describe("the socket file", () => {
  test("of a dead server is taken over, and goes with the server", () =>
    withFolder(async (folder) => {
      await leaveOne(folder);
      const server = start(folder);
      try {
        await server.serving();
        await server.logged(REMOVED);
        assertEquals(await about(folder), "+Go\r\nabout");
      } finally {
        await server.stop();
      }
      assertEquals(readdirSync(folder), ["services.toml"]);
    }));

  test("of a live server is left alone", () =>
    withFolder(async (folder) => {
      const first = start(folder);
      try {
        await first.serving();
        const { code, err } = await tcpmux(serveWords(folder));
        assertEquals(code, 74);
        assertMatch(err, /another program listens there/);
        assertEquals(await about(folder), "+Go\r\nabout");
      } finally {
        await first.stop();
      }
    }));

  test("goes to one only of several that come at once", () =>
    withFolder(async (folder) => {
      await leaveOne(folder);
      const all = [1, 2, 3, 4].map(() => start(folder));
      let ended = 0;
      for (const { exited } of all) exited.then(() => ended++);
      try {
        await until("all but one have given up", () => ended === 3);
        await until(
          "that one serves",
          async () => await about(folder).catch(() => "") === "+Go\r\nabout",
        );
      } finally {
        for (const server of all) await server.stop();
      }
      assertEquals(readdirSync(folder), ["services.toml"]);
    }));

  test(
    "of a server too busy to answer is left alone",
    needs("perl"),
    () =>
      withFolder(async (folder) => {
        const script = `use Socket; socket(S, PF_UNIX, SOCK_STREAM, 0);
        bind(S, sockaddr_un($ARGV[0])) or die; listen(S, 0) or die;
        socket(C, PF_UNIX, SOCK_STREAM, 0);
        connect(C, sockaddr_un($ARGV[0])) or die; print "full"; close STDOUT;
        sleep 60;`;
        const busy = spawn("perl", ["-e", script, join(folder, "mux")], {
          stdio: ["ignore", "pipe", "inherit"],
        });
        let said = "";
        busy.stdout.on("data", (chunk) => said += chunk);
        try {
          await until("it is full", () => said === "full");
          assertEquals((await tcpmux(serveWords(folder))).code, 74);
          assert(existsSync(join(folder, "mux")));
        } finally {
          process.kill(busy.pid!, "SIGKILL");
        }
      }),
  );

  test("of a successor stays when the server stops", () =>
    withFolder(async (folder) => {
      const first = start(folder);
      await first.serving();
      rmSync(join(folder, "mux"));
      const successor = start(folder);
      try {
        await successor.serving();
        assertEquals(await first.stop(), 0);
        assertEquals(await about(folder), "+Go\r\nabout");
        assertEquals(readdirSync(folder).toSorted(), ["mux", "services.toml"]);
      } finally {
        await first.stop();
        await successor.stop();
      }
      assertEquals(readdirSync(folder), ["services.toml"]);
    }));

  test("is made anew by a reload when somebody has removed it", () =>
    withFolder(async (folder) => {
      const server = start(folder);
      try {
        await server.serving();
        rmSync(join(folder, "mux"));
        server.signal("SIGHUP");
        await server.logged("reloaded");
        assertEquals(await about(folder), "+Go\r\nabout");
        server.log.length = 0;
        server.signal("SIGHUP");
        await server.logged("reloaded");
        const messages = server.log.map(({ message }) => message);
        assert(!messages.includes("listening")); // the one of before
      } finally {
        await server.stop();
      }
      assertEquals(readdirSync(folder), ["services.toml"]);
    }));

  test("is not any other file, nor a link", () =>
    withFolder(async (folder) => {
      await leaveOne(folder);
      await withFolder(async (other) => {
        symlinkSync(join(folder, "mux"), join(other, "mux"));
        assertEquals((await tcpmux(serveWords(other))).code, 74);
        assert(existsSync(join(folder, "mux")));
      });
      await withFolder(async (other) => {
        writeFileSync(join(other, "mux"), "precious");
        assertEquals((await tcpmux(serveWords(other))).code, 74);
        assert(existsSync(join(other, "mux")));
      });
    }));
});
