import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { until } from "./wait.ts";

export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** One line of the server's JSON log. */
export type LogLine = Record<string, unknown> & { message: string };

/**
 * The words that start the program under test: what TCPMUX_TEST_PROGRAM says
 * as a JSON list (a bundle, a binary), or the sources on this very runtime.
 */
export function programUnderTest(): string[] {
  const said = process.env.TCPMUX_TEST_PROGRAM;
  if (said !== undefined) return JSON.parse(said);
  const source = join(ROOT, "mod.ts");
  if ("Deno" in globalThis) {
    return [process.execPath, "run", "-A", "--no-lock", "--no-check", source];
  }
  if ("Bun" in globalThis) {
    return [process.execPath, "--no-env-file", "run", source];
  }
  return [process.execPath, source];
}

/** Whether the program under test can send a reset: on Deno it cannot. */
export function programResets(): boolean {
  return !/\bdeno$/.test(programUnderTest()[0]!);
}

/** Whether it can hand a socket to a program: on Deno it cannot. */
export function programHandsOver(): boolean {
  return programResets();
}

/** Whether it is told of changes in a folder: on Deno it looks by itself. */
export function programWatches(): boolean {
  return programResets();
}

/** A server in a process of its own. */
export class RunningServer {
  readonly pid: number;
  readonly log: LogLine[] = [];
  /** What stood on standard error and was no JSON. */
  readonly other: string[] = [];
  readonly exited: Promise<{ code: number | null; signal: string | null }>;
  /** Of the first listener. */
  port = 0;
  #ended = false;
  #held = "";

  constructor(child: ChildProcess) {
    this.pid = child.pid!;
    child.once("exit", () => this.#ended = true);
    // Not at its exit, when its last lines may not have been read yet.
    this.exited = new Promise((resolve) =>
      child.once("close", (code, signal) => resolve({ code, signal }))
    );
    child.stderr!.on("data", (bytes) => this.#take(String(bytes)));
  }

  #take(text: string): void {
    const lines = (this.#held + text).split("\n");
    this.#held = lines.pop()!;
    for (const line of lines) {
      try {
        this.log.push(JSON.parse(line));
      } catch {
        this.other.push(line);
      }
    }
  }

  /** The first line of that message for which `matches` holds. */
  logged(
    message: string,
    matches: (line: LogLine) => boolean = () => true,
  ): Promise<LogLine> {
    return until(
      `"${message}" is logged; log: ${JSON.stringify(this.log.slice(-5))} ${
        this.other.join("\n")
      }`,
      () =>
        this.log.find((line) => line.message === message && matches(line)) ??
          false,
    ) as Promise<LogLine>;
  }

  /** The addresses that it serves on, once it does. */
  serving(): Promise<string> {
    return until(`it serves; it said ${this.other.join("\n")}`, () => {
      const line = this.log.find(({ message }) => message === "serving");
      const asText = /[ >]serving .*addresses=("?)(.*)\1$/m;
      return (line?.addresses as string | undefined) ??
        asText.exec(this.other.join("\n"))?.[2];
    }) as Promise<string>;
  }

  /** The record of the first connection to that service. */
  record(service: string): Promise<LogLine> {
    return this.logged("connection", (line) => line.service === service);
  }

  signal(signal: NodeJS.Signals): void {
    // Not child.kill(): on Deno it kills but once.
    if (this.#ended) return;
    process.kill(this.pid, signal);
  }

  /** Stops it in good order; gives its exit code. */
  async stop(): Promise<number | null> {
    this.signal("SIGTERM");
    const timer = setTimeout(() => this.signal("SIGKILL"), 30_000);
    const { code } = await this.exited;
    clearTimeout(timer);
    return code;
  }
}

/**
 * Runs `use` with a server that serves the table: TOML without `[server]`
 * keys of its own for `listen` and `log`, which are given on the command line.
 */
export async function withServer(
  table: string,
  use: (server: RunningServer, folder: string) => Promise<void>,
  options: {
    args?: string[];
    env?: Record<string, string>;
    program?: string[];
    /** Of the log; text leaves it in `other`. */
    format?: "json" | "text";
  } = {},
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "tcpmux-test-"));
  const file = join(folder, "services.toml");
  writeFileSync(file, table.replaceAll("{folder}", folder));
  const [program, ...args] = [
    ...(options.program ?? programUnderTest()),
    "serve",
    "--config",
    file,
    "--log-format",
    options.format ?? "json",
    ...(options.args ?? ["--listen", "127.0.0.1:0"]),
  ];
  const child = spawn(program!, args, {
    cwd: folder,
    env: { ...process.env, ...options.env },
    stdio: ["ignore", "inherit", "pipe"],
  });
  const server = new RunningServer(child);
  try {
    const serving = await Promise.race([
      server.serving(),
      server.exited.then(({ code }) => {
        throw new Error(
          `the server exited ${code}: ${server.other.join("\n")}`,
        );
      }),
    ]);
    server.port = Number(/:(\d+)( |$)/.exec(serving)?.[1] ?? 0);
    await use(server, folder);
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
