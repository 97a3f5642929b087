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
});
