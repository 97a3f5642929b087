/** tcpmux status --watch, at a terminal. */
import { spawn } from "node:child_process";
import { describe, test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { type Controlled, withControlled } from "./support/control.ts";
import { needs } from "./support/needs.ts";
import { quoted } from "./support/run.ts";
import { programUnderTest } from "./support/server.ts";
import { until } from "./support/wait.ts";

const SERVICES = `[services.echo]\nbuiltin = "echo"\n` +
  Array.from({ length: 40 }, (_, i) => `[services.s${i}]\ntext = ""\n`).join(
    "",
  );

/** What a terminal of so many lines gets, and how to press a key there. */
interface Watching {
  readonly shown: () => string;
  readonly press: (key: string) => void;
  readonly code: Promise<number | null>;
}

function watching({ path }: Controlled): Watching {
  const words = [...programUnderTest(), "status", "--watch", "--control", path];
  // A shell that stays would be interrupted by the key too.
  const command = `stty rows 24 cols 80; exec ${words.map(quoted).join(" ")}`;
  const child = spawn("script", ["-qec", command, "/dev/null"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  let shown = "";
  child.stdout.on("data", (bytes) => shown += String(bytes));
  return {
    shown: () => shown,
    press: (key) => child.stdin.write(key),
    code: new Promise((resolve) => child.once("close", resolve)),
  };
}

describe("tcpmux status --watch", needs("script"), () => {
  test("shows it again, on a screen that it leaves as it was", () =>
    withControlled(SERVICES, async (controlled) => {
      const { shown, press, code } = watching(controlled);
      await until("it shows", () => /echo +builtin +on/.test(shown()));
      assertEquals((await controlled.run("disable", "echo")).code, 0);
      await until(
        "it shows the change",
        () => /echo +builtin +switched off/.test(shown()),
      );
      press("\x03");
      assertEquals(await code, 0);
      const [before, screens, behind] = shown()
        .replaceAll("\x1b[?1049l", "\x1b[?1049h").split("\x1b[?1049h");
      assertEquals([before, behind].join("").includes("echo"), false);
      assert(screens!.startsWith("\x1b[?25l\x1b[?7l"));
      assert(screens!.endsWith("\x1b[?7h\x1b[?25h"));
      // No line feed: a list that is longer than the screen does not move it.
      assert(!screens!.includes("\n"));
    }));

  test("says that the server has gone, and goes on", () =>
    withControlled(SERVICES, async (controlled) => {
      const { shown, press, code } = watching(controlled);
      await until("it shows", () => /echo +builtin +on/.test(shown()));
      assertEquals((await controlled.run("drain")).code, 0);
      await until("it says so", () => /cannot reach the server/.test(shown()));
      press("\x03");
      assertEquals(await code, 0);
    }));

  test("fails at once where no server is", () =>
    withControlled(SERVICES, async (controlled) => {
      const path = `${controlled.path}.none`;
      const { shown, code } = watching({ ...controlled, path });
      assertEquals(await code, 74);
      assertMatch(shown(), /tcpmux: cannot reach the server at /);
    }));
});
