/** The promises that src/transport/transport.ts makes about programs. */
import { describe, test } from "node:test";
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { TcpmuxError } from "../src/errors.ts";
import { pickTransport } from "../src/transport/pick.ts";
import { netSpawn } from "../src/transport/net/process.ts";
import type {
  Conn,
  PipedProcess,
  Transport,
} from "../src/transport/transport.ts";
import {
  bytes,
  digestAll,
  readAll,
  readSome,
  text,
  writePattern,
} from "./support/bytes.ts";
import { pairOf, V4 } from "./support/ends.ts";
import { needsRoot } from "./support/needs.ts";
import { NotedPump } from "./support/pumps.ts";
import { rejectsWith } from "./support/rejects.ts";
import { mustRun, scriptWords } from "./support/run.ts";
import {
  descriptors,
  descriptorsBackTo,
  sleep,
  until,
} from "./support/wait.ts";

const transport = await pickTransport();

programsContract(transport.name, transport.spawn, { onOneSocket: true });
if (transport.name === "deno") {
  const { spawnOnPipes } = await import("../src/transport/deno/process.ts");
  programsContract("deno, without FFI", spawnOnPipes);
} else {
  programsContract(`${transport.name}, by streams alone`, netSpawn);
}

describe(`${transport.name}, a process group that is gone`, () => {
  test(
    "is not signalled when its number is somebody else's",
    needsRoot(),
    async () => {
      const { stdout } = await mustRun([
        ...["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"],
        // The first process of a namespace waits for those that lost theirs.
        ...["sh", "-c", `"$@"; exit $?`, "sh"],
        ...scriptWords("tests/support/reused_pid.ts"),
      ]);
      assertEquals(
        String(stdout),
        "ended alone: reached nobody\n" +
          "ended before others: reached nobody\n",
      );
    },
  );
});

function programsContract(
  title: string,
  spawn: Transport["spawn"],
  { onOneSocket = false } = {},
): void {
  function sh(script: string): Promise<PipedProcess> {
    return spawn({
      program: "/bin/sh",
      args: ["-c", script],
      env: { PATH: "/usr/bin:/bin" },
      stderr: "pipe",
    });
  }

  describe(`${title}, programs`, () => {
    test("bytes go in and come out, and the end is passed on", async () => {
      const cat = await spawn({
        program: "/bin/cat",
        args: [],
        env: {},
      });
      const total = 20_000_000;
      const sending = writePattern(cat.stdio, total).then(async (digest) => {
        await cat.stdio.closeWrite();
        return digest;
      });
      const got = await digestAll(cat.stdio);
      assertEquals(got, { count: total, digest: await sending });
      assertEquals(await cat.exited, { code: 0, signal: null });
      cat.stdio.close();
    });

    test("a program that does not read holds its writer back", async () => {
      const program = await spawn({
        program: "/bin/sleep",
        args: ["60"],
        env: {},
      });
      let written = 0;
      const writing = assertRejects(async () => {
        for (;;) {
          await program.stdio.write(new Uint8Array(65536));
          written += 65536;
        }
      }, TcpmuxError);
      let before = -1;
      await until("the writer stands still", async () => {
        const still = written === before;
        before = written;
        await new Promise((resolve) => setTimeout(resolve, 150));
        return still && written === before;
      });
      assert(written < 8e6, `${written} bytes went nowhere`);
      program.stdio.abort();
      await writing;
      assertEquals(program.signalGroup("SIGKILL"), true);
      assertEquals(await program.exited, { code: null, signal: "SIGKILL" });
    });

    test("its exit code, its signal and its standard error are told", async () => {
      const failing = await sh("echo oops >&2; exit 3");
      assertEquals(text((await failing.readStderr())!), "oops\n");
      assertEquals(await failing.readStderr(), null);
      assertEquals(await failing.exited, { code: 3, signal: null });
      failing.stdio.close();
      const killed = await sh("kill -TERM $$");
      assertEquals(await killed.exited, { code: null, signal: "SIGTERM" });
      killed.stdio.close();
    });

    test("the environment is what was given, and nothing else", async () => {
      const env = await spawn({
        program: "/usr/bin/env",
        args: [],
        env: { A: "1", B: "two words" },
      });
      assertEquals(await readAll(env.stdio), "A=1\nB=two words\n");
      env.stdio.close();
    });

    test("a signal reaches the whole group", async () => {
      const group = await sh("sleep 60 & echo started; wait");
      assertEquals(text((await group.stdio.read())!), "started\n");
      assertEquals(group.signalGroup(0), true);
      group.signalGroup("SIGKILL");
      await group.exited;
      await until("nobody is left", () => !group.signalGroup(0));
      group.stdio.close();
      group.closeStderr();
    });

    test("a missing program and a missing folder are not found", async () => {
      const command = { args: [], env: {} };
      await rejectsWith(
        "not_found",
        () => spawn({ ...command, program: "/no/such/program" }),
      );
      await rejectsWith(
        "not_found",
        () => spawn({ ...command, program: "/bin/true", cwd: "/no/such" }),
      );
      await rejectsWith(
        "permission_denied",
        () => spawn({ ...command, program: "/etc/passwd" }),
      );
    });

    test("what it writes to its input arrives, or fails at once", async () => {
      const program = await sh(
        `printf in >&0 2>&- || printf failed; printf ' %s' out`,
      );
      const all = await readAll(program.stdio);
      if (onOneSocket) assertEquals(all, "in out");
      else assertMatch(all, /^(failed)? out$/);
      await program.exited;
      program.stdio.close();
      program.closeStderr();
    });

    const one = async () => {
      const program = await sh(
        `readlink /proc/$$/fd/0 /proc/$$/fd/1; test -S /dev/fd/0 && echo yes`,
      );
      const [input, output, isSocket] = (await readAll(program.stdio))
        .split("\n");
      assertMatch(input!, /^socket:/);
      assertEquals([output, isSocket], [input, "yes"]);
      await program.exited;
      program.stdio.close();
      program.closeStderr();
    };
    if (onOneSocket) test("its input and its output are one socket", one);

    test("a program that does not read its input is heard to its end", async () => {
      const much = onOneSocket ? 150_000 : 50_000; // what it holds
      for (const count of [1, much]) {
        const { stdio, exited } = await sh(
          `read line; head -c ${count} /dev/zero; echo end`,
        );
        await stdio.write(bytes("line\nand more that nobody reads\n"));
        await exited; // all that it said lies there, unread
        let all = "";
        for (let piece; (piece = await stdio.read()) !== null;) {
          all += text(piece);
          await sleep(20); // as if it had to be written somewhere
        }
        assertEquals([all.length, all.slice(-4)], [count + 4, "end\n"]);
        assertEquals(stdio.end, null);
        stdio.close();
      }
    });

    test("nor does what is read of it while it ends get lost", async () => {
      for (let round = 0; round < 30; round++) {
        const { stdio, exited } = await sh("head -c 150000 /dev/zero");
        // Nobody reads this; the program may even have ended already.
        stdio.write(new Uint8Array(500)).catch(() => {});
        const [outside, inside] = await pairOf(transport, V4);
        const got = digestAll(outside);
        for (let piece; (piece = await stdio.read()) !== null;) {
          await inside.write(piece);
        }
        inside.close();
        assertEquals((await got).count, 150_000);
        await exited;
        outside.close();
        stdio.close();
      }
    });

    test("programs leave no descriptor behind", async () => {
      await (await sh("true")).exited;
      const before = descriptors();
      for (let i = 0; i < 30; i++) {
        const program = await sh("cat; echo done >&2");
        await program.stdio.write(bytes("x"));
        await program.stdio.closeWrite();
        assertEquals(await readAll(program.stdio), "x");
        await program.exited;
        program.stdio.close();
        program.closeStderr();
      }
      await descriptorsBackTo(before);
    });

    test("its output may be called over, once what came is taken", async () => {
      const program = await sh("echo first; exec sleep 60");
      const { stdio } = program;
      await until("output lies there", () => !stdio.endInput());
      assertEquals(text((await stdio.read())!), "first\n");
      const reading = stdio.read();
      assertEquals(stdio.endInput(), true);
      assertEquals(await reading, null);
      assertEquals(await stdio.read(), null);
      program.signalGroup("SIGKILL");
      await program.exited;
      stdio.close();
      program.closeStderr();
    });

    test("a read that is interrupted loses nothing of its output", async () => {
      const program = await sh("read line; echo $line; exec cat");
      const { stdio } = program;
      const reading = stdio.read();
      const enough = new Error("enough");
      stdio.interrupt(enough);
      assert(await assertRejects(() => reading) === enough);
      await stdio.write(bytes("late\n"));
      assertEquals(await readSome(stdio, 5), "late\n");
      assertEquals([stdio.end, await stdio.isAlive()], [undefined, true]);
      await stdio.closeWrite();
      assertEquals([await stdio.read(), stdio.end], [null, null]);
      await program.exited;
      stdio.close();
      program.closeStderr();
      assertEquals(await stdio.isAlive(), false);
    });

    test("closed twice, it takes and gives nothing more", async () => {
      for (const how of ["close", "abort"] as const) {
        const program = await sh("exec cat");
        const { stdio } = program;
        const reading = rejectsWith("closed", () => stdio.read());
        stdio[how]();
        stdio[how]();
        await reading;
        await rejectsWith("closed", () => stdio.read());
        await assertRejects(() => stdio.write(bytes("x")), TcpmuxError);
        await stdio.closeWrite();
        assertEquals(await program.exited, { code: 0, signal: null });
        program.closeStderr();
      }
    });

    test("what is written behind its end is refused", async () => {
      const program = await sh("exec cat");
      await program.stdio.closeWrite();
      await assertRejects(() => program.stdio.write(bytes("x")), TcpmuxError);
      assertEquals(await program.stdio.read(), null);
      await program.exited;
      program.stdio.close();
      program.closeStderr();
    });

    test("is between two pipes as between two reads and writes", async () => {
      const [outside, inside] = await pairOf(transport, V4);
      const { stdio, exited } = await spawn({
        program: "/bin/cat",
        args: [],
        env: {},
      });
      const total = 8_000_000;
      const carry = async (source: Conn, sink: Conn) => {
        const pump = new NotedPump(source);
        if (source.pipeTo?.(sink, pump) === true) {
          await pump.ended();
          assertEquals([pump.end, pump.count], ["over", total]);
        } else {
          for (let chunk; (chunk = await source.read()) !== null;) {
            await sink.write(chunk);
          }
        }
        await sink.closeWrite();
      };
      const sending = writePattern(outside, total).then(async (digest) => {
        await outside.closeWrite();
        return digest;
      });
      const [digest, got] = await Promise.all([
        sending,
        digestAll(outside),
        carry(inside, stdio),
        carry(stdio, inside),
      ]);
      assertEquals(got, { count: total, digest });
      assertEquals(await exited, { code: 0, signal: null });
      for (const conn of [outside, inside, stdio]) conn.close();
    });
  });
}
