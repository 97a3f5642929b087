import { spawn } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { withFolder } from "./daemon.ts";
import { run } from "./run.ts";
import { programUnderTest, ROOT } from "./server.ts";
import { until } from "./wait.ts";

/** A message that came to the socket of systemd. */
export interface Message {
  /** The process that has sent it, as the kernel says. */
  readonly pid: number;
  /** When it came, in microseconds of CLOCK_MONOTONIC. */
  readonly at: number;
  /** Its variables. */
  readonly says: Readonly<Record<string, string>>;
}

/** What plays systemd's part for a service of `Type=notify`. */
export class Notified {
  /** For `NOTIFY_SOCKET`. */
  readonly path: string;
  readonly messages: Message[] = [];
  readonly #kill: () => void;

  constructor(path: string, kill: () => void) {
    this.path = path;
    this.#kill = kill;
  }

  /** The first message behind the first `from` of them that says so. */
  told(name: string, value: RegExp, from = 0): Promise<Message> {
    return until(
      `${name} is ${value}: ${JSON.stringify(this.messages.slice(from))}`,
      () =>
        this.messages.slice(from).find(({ says }) =>
          value.test(says[name] ?? "no such")
        ) ?? false,
    ) as Promise<Message>;
  }

  /** systemd is gone. */
  vanish(): void {
    this.#kill();
  }
}

/** @param path `{}` in it is a folder of its own */
export function withNotified(
  path: string,
  use: (notified: Notified) => Promise<void>,
): Promise<void> {
  return withFolder(async (folder) => {
    const own = path.replace("{}", folder);
    const script = join(ROOT, "tests/support/notified.py");
    const child = spawn("python3", [script, own], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const exited = new Promise((resolve) => child.once("exit", resolve));
    const kill = () => void process.kill(child.pid!, "SIGKILL");
    const notified = new Notified(own, kill);
    let held = "";
    let isBound = false;
    child.stdout.on("data", (bytes) => {
      const lines = (held + String(bytes)).split("\n");
      held = lines.pop()!;
      for (const line of lines) {
        const { bound, pid, at, text } = JSON.parse(line);
        if (bound !== undefined) isBound = true;
        else {
          const pairs = text.split("\n").map((one: string) =>
            one.split(/=(.*)/s).slice(0, 2)
          );
          notified.messages.push({ pid, at, says: Object.fromEntries(pairs) });
        }
      }
    });
    try {
      await until("the socket is bound", () => isBound);
      await use(notified);
    } finally {
      if (child.exitCode === null && child.signalCode === null) kill();
      await exited;
    }
  });
}

/** Whether the program under test can notify: Node can from 26.1 on. */
export async function programNotifies(): Promise<boolean> {
  const words = ["serve", "--listen", "unix:/nowhere/at/all"];
  const { stderr } = await run([...programUnderTest(), ...words], {
    env: { NOTIFY_SOCKET: "/nowhere" },
  });
  return !stderr.includes("cannot notify systemd, as");
}
