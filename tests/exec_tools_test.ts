/** Tools of the system that hang, of which none is waited for without end. */
import { describe, test } from "node:test";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { TcpmuxError } from "../src/errors.ts";
import { runTool } from "../src/services/exec/run_tool.ts";
import { startProgram } from "../src/services/exec/start.ts";
import type { SessionContext } from "../src/services/service.ts";
import { pickTransport } from "../src/transport/pick.ts";
import { childrenOf } from "./support/processes.ts";
import { descriptors, descriptorsBackTo, until } from "./support/wait.ts";

const transport = await pickTransport();
const context = {
  isStopped: false,
  server: { transport },
} as unknown as SessionContext;

/** Nothing is left of what was started since. */
async function nothingLeft(before: number): Promise<void> {
  await until("no child is left", () => childrenOf(process.pid).length === 0);
  await descriptorsBackTo(before);
}

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe("a tool that hangs", () => {
  test("is killed when its time is over, and named", async () => {
    await runTool(["true"], transport);
    const before = descriptors();
    for (
      const words of [
        ["sleep", "1000"],
        ["sh", "-c", "sleep 1000 & echo out"],
      ] as const
    ) {
      const error = await assertRejects(
        () => runTool(words, transport, { time: 100 }),
        TcpmuxError,
      );
      assertEquals(error.code, "timed_out");
      assert(error.message.startsWith(`${words.join(" ")} did not end`));
    }
    await nothingLeft(before);
  });

  test("on the way to a program is killed too, and named", async () => {
    await (await transport.spawn({ program: "/bin/true", args: [], env: {} }))
      .exited;
    const before = descriptors();
    const tools = ["/bin/sh", "-c", `sleep 1000; exec "$@"`, "sh"];
    const error = await assertRejects(
      () =>
        startProgram(
          {
            program: tools[0]!,
            args: [...tools.slice(1), "/bin/true"],
            tools,
            env: { PATH: "/usr/bin:/bin" },
            stderr: "pipe",
          },
          context,
          100,
        ),
      TcpmuxError,
    );
    assertEquals(error.code, "timed_out");
    assert(error.message.includes("/bin/sh did not start it"), error.message);
    await nothingLeft(before);
  });

  test("or fails is not waited for to say more, if others may say it", async () => {
    // Its message has no end, and a process that it leaves has its stderr.
    const says = "printf 'sh: no' >&2; sleep 1000 & exit 1";
    const tools = ["/bin/sh", "-c", says, "sh"];
    const command = {
      program: tools[0]!,
      args: [...tools.slice(1), "/bin/true"],
      tools,
      env: { PATH: "/usr/bin:/bin" },
      stderr: "pipe" as const,
    };
    let pid = 0;
    const spawn: typeof transport.spawn = async (command) => {
      const program = await transport.spawn(command);
      pid = program.pid;
      await program.exited; // before anybody has looked at it
      return program;
    };
    const watched = { ...transport, spawn };
    const error = await assertRejects(
      () =>
        startProgram(command, {
          ...context,
          server: { ...context.server, transport: watched },
        }),
      TcpmuxError,
    );
    assertEquals(error.message, "cannot start a program: sh: no");
    await until("nothing of it is left", () => !isThere(-pid));
  });
});
