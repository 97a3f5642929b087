import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { assertEquals, assertMatch } from "@std/assert";
import { answers, freePort, withFolder } from "./daemon.ts";
import { type LogLine, programUnderTest } from "./server.ts";
import { until } from "./wait.ts";

/** What Deno says at SIGUSR1. */
const DEBUGGER = /^(Debugger listening|Visit chrome:).*\n/gm;

/** A server whose log does not go to standard error. */
export class LoggingServer {
  readonly pid: number;
  readonly port: number;
  readonly folder: string;
  /** Of its standard error. */
  stderr = "";
  readonly exited: Promise<number | null>;
  #hasEnded = false;

  constructor(words: readonly string[], port: number, folder: string) {
    const stdio = ["ignore", "ignore", "pipe"] as const;
    const child = spawn(words[0]!, words.slice(1), { stdio: [...stdio] });
    this.pid = child.pid!;
    this.port = port;
    this.folder = folder;
    child.stderr!.on("data", (bytes) => {
      this.stderr = (this.stderr + String(bytes)).replace(DEBUGGER, "");
    });
    child.once("exit", () => this.#hasEnded = true);
    this.exited = new Promise((resolve) => child.once("close", resolve));
  }

  signal(signal: NodeJS.Signals): void {
    if (!this.#hasEnded) process.kill(this.pid, signal);
  }

  /** Resolves once it accepts connections. */
  async ready(): Promise<void> {
    await until(() => `it answers; it said ${this.stderr}`, () => {
      if (!this.#hasEnded) return answers(this.port);
      throw new Error(`it has ended: ${this.stderr}`);
    });
  }

  /** Stops it in good order; gives its exit code. */
  async stop(): Promise<number | null> {
    this.signal("SIGTERM");
    const timer = setTimeout(() => this.signal("SIGKILL"), 30_000);
    const code = await this.exited;
    clearTimeout(timer);
    return code;
  }
}

export interface LoggingOptions {
  /** What stands in [server.log]; {folder} is the test's own. */
  readonly log: string;
  /** What stands in [server]. */
  readonly keys?: string;
  /** The rest of the table. */
  readonly table?: string;
  /** An address to listen on besides its port. */
  readonly listen?: string;
  /** The words before those of the program. */
  readonly before?: readonly string[];
}

/** A server that has begun to start, and may come to nothing. */
export async function startLogging(
  folder: string,
  { log, keys = "", table = ECHO, listen, before = [] }: LoggingOptions,
): Promise<LoggingServer> {
  const port = await freePort();
  writeTable(folder, log, table, keys);
  const words = [...before, ...programUnderTest(), "serve"];
  words.push("-c", join(folder, "services.toml"), "-l", `127.0.0.1:${port}`);
  if (listen !== undefined) words.push("-l", listen);
  const inFolder = words.map((word) => word.replaceAll("{folder}", folder));
  return new LoggingServer(inFolder, port, folder);
}

export const ECHO = `[services.echo]\nbuiltin = "echo"\n`;

export function writeTable(
  folder: string,
  log: string,
  table = ECHO,
  keys = "",
): void {
  const text = `[server]\n${keys}\n[server.log]\n${log}\n${table}`.replaceAll(
    "{folder}",
    folder,
  );
  writeFileSync(join(folder, "services.toml"), text);
}

/** Runs `use` with a server that accepts connections. */
export function withLogging(
  options: LoggingOptions,
  use: (server: LoggingServer) => Promise<void>,
): Promise<void> {
  return withFolder(async (folder) => {
    const server = await startLogging(folder, options);
    try {
      await server.ready();
      await use(server);
    } finally {
      await server.stop();
    }
  });
}

/** The lines of a log in JSON; what is no such line is left out. */
export function jsonLines(text: string): LogLine[] {
  return text.split("\n").flatMap((line) => {
    try {
      return [JSON.parse(line) as LogLine];
    } catch {
      return []; // the line was cut
    }
  });
}

/** The text of a file, or nothing where there is none. */
export function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

/** Asserts that a table is wrong whose log is to go to that place. */
export function refusesPlace(to: string, message: RegExp): Promise<void> {
  return withFolder(async (folder) => {
    const server = await startLogging(folder, { log: `to = "${to}"` });
    assertEquals(await server.exited, 78);
    assertMatch(server.stderr, message);
  });
}
