/** What programs write on standard error, and how much of it is logged. */
import { describe, test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { digestAll } from "./support/bytes.ts";
import { ask, exchange } from "./support/client.ts";
import { answer, shell } from "./support/exec.ts";
import { peakMemory } from "./support/processes.ts";
import {
  programHandsOver,
  type RunningServer,
  withServer,
} from "./support/server.ts";

const DROPPED = "a program wrote too much to stderr, lines were dropped";

/** The lines of a service that were logged. */
function logged(server: RunningServer, service: string): unknown[] {
  return server.log.filter((line) =>
    line.message === "stderr" && line.service === service
  ).map(({ text }) => text);
}

for (const stdio of ["pipe", "socket"]) {
  const skip = stdio === "socket" && !programHandsOver();
  const keys = `stdio = "${stdio}"`;

  describe(`standard error, stdio = ${stdio}`, { skip }, () => {
    test("of one that floods it is counted, and the rest goes on", () =>
      withServer(
        shell(
          "flood",
          "yes oh no | head -n 1000000 >&2 & head -c 50000000 /dev/zero; wait",
          keys,
        ) + shell("other", "echo fine >&2; echo hello", keys),
        async (server) => {
          const { conn } = await ask(server.port, "flood");
          const all = digestAll(conn);
          assertEquals(await answer(server.port, "other"), "hello\n");
          await server.logged("stderr", ({ text }) => text === "fine");
          assertEquals((await all).count, 50_000_000);
          conn.close();
          const dropped = await server.logged(DROPPED);
          assertEquals([dropped.level, dropped.service], ["warn", "flood"]);
          await server.record("flood");
          const count = logged(server, "flood").length;
          const droppedInAll = server.log
            .filter(({ message }) => message === DROPPED)
            .reduce((sum, { lines }) => sum + Number(lines), 0);
          assertEquals(count + droppedInAll, 1_000_000);
          assert(count >= 200 && count < 10_000, `${count} lines`);
        },
      ));

    test("is cut where a line has no end, and takes no memory", () =>
      withServer(
        shell(
          "long",
          "head -c 100000000 /dev/zero | tr '\\0' x >&2; echo >&2; echo end >&2",
          keys,
        ),
        async (server) => {
          assertEquals(await exchange(server.port, "long\r\n"), "+Go\r\n");
          await server.logged("stderr", ({ text }) => text === "end");
          const lines = logged(server, "long").map(String);
          assertEquals(lines.map(({ length }) => length), [2048, 3]);
          const peak = peakMemory(server.pid);
          assert(peak < 400, `${peak} MiB`);
        },
      ));

    test("is all there while it is little, in any pieces", () =>
      withServer(
        shell(
          "pieces",
          "printf 'a\\r\\n\\nb' >&2; sleep 0.1; printf 'c\\303' >&2; " +
            "sleep 0.1; printf '\\274\\nd' >&2",
          keys,
        ),
        async (server) => {
          await answer(server.port, "pieces");
          await server.logged("stderr", ({ text }) => text === "d");
          assertEquals(logged(server, "pieces"), ["a", "", "bcü", "d"]);
          assert(!server.log.some(({ message }) => message === DROPPED));
        },
      ));
  });
}
