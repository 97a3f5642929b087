/**
 * Types the fenced blocks of a document into terminals, each into one of its
 * own, and compares what comes with what the document prints. By the language
 * of the block:
 *
 * - `console`: lines behind `$ ` are typed, and the lines below are what must
 *   come;
 * - `console stays`: the same, but its last command goes on, and may say more
 *   than is printed, as a line `…` tells the reader;
 * - `sh`: every line is typed, and whatever it says is right; the next one is
 *   typed when a command behind which stands `&` says that it serves.
 *
 * Every command must succeed.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { assertEquals } from "@std/assert";
import { until } from "./wait.ts";

/** Milliseconds that a block may take. */
const PATIENCE = 60_000;

/** The languages of what is typed. */
const TYPED = /^(console|console stays|sh)$/;

/** What the log says of a server that can be used. */
const SERVES = " serving ";

/** Stands for lines that a document leaves out. */
const LEFT_OUT = "…";

/** In the output, the number of each command stands between two of these. */
const MARK = "\x1e";

export interface Block {
  readonly language: string;
  /** The number of its first line. */
  readonly line: number;
  readonly text: string;
}

export function blocksOf(document: string): Block[] {
  const lines = document.split("\n");
  const blocks: Block[] = [];
  for (let at = 0; at < lines.length; at++) {
    const [, language] = /^```(.+)$/.exec(lines[at]!) ?? [];
    if (language === undefined) continue;
    const end = lines.indexOf("```", at);
    const text = lines.slice(at + 1, end).join("\n");
    blocks.push({ language, line: at + 2, text });
    at = end;
  }
  return blocks;
}

interface Typed {
  readonly command: string;
  /** What must come; unknown of `sh`. */
  readonly lines: string[];
}

function typedIn({ language, text }: Block): Typed[] {
  const isShell = language === "sh";
  const typed: Typed[] = [];
  for (const line of text.split("\n")) {
    const command = isShell ? line : /^\$ (.*)$/.exec(line)?.[1];
    if (command !== undefined) typed.push({ command, lines: [] });
    else if (line !== LEFT_OUT) typed.at(-1)!.lines.push(line);
  }
  return typed;
}

/** The terminals of one reader. */
export class Terminals {
  readonly #folder: string;
  readonly #cwd: string;
  readonly #env: Record<string, string>;
  readonly #open: Terminal[] = [];

  /**
   * @param folder takes their output
   * @param cwd where they begin
   */
  constructor(folder: string, cwd: string, env: Record<string, string>) {
    this.#folder = folder;
    this.#cwd = cwd;
    this.#env = env;
  }

  /** Types all blocks of those languages, in their order. */
  async type(blocks: readonly Block[]): Promise<void> {
    for (const block of blocks) {
      if (!TYPED.test(block.language)) continue;
      const output = join(this.#folder, `terminal-${this.#open.length}`);
      const terminal = new Terminal(block, output, this.#cwd, this.#env);
      this.#open.push(terminal);
      await terminal.typed();
    }
    for (const terminal of this.#open) await terminal.printed();
  }

  /** Ends all that goes on. */
  async close(): Promise<void> {
    await Promise.all(this.#open.map((terminal) => terminal.close()));
  }
}

class Terminal {
  readonly #block: Block;
  readonly #typed: readonly Typed[];
  readonly #output: string;
  readonly #shell: ChildProcess;
  #exit: string | undefined;
  /** Nothing runs any more: its number may soon be another's. */
  #isOver = false;

  constructor(
    block: Block,
    output: string,
    cwd: string,
    env: Record<string, string>,
  ) {
    this.#block = block;
    this.#typed = typedIn(block);
    this.#output = output;
    const file = openSync(output, "a");
    this.#shell = spawn("bash", ["-e", "-c", this.#script()], {
      cwd,
      env: { ...process.env, ...env, OUTPUT: output },
      // A terminal's input does not end while the last command goes on.
      stdio: [this.#stays ? "pipe" : "ignore", file, file],
      detached: true, // so that all it has started can be ended together
    });
    closeSync(file);
    this.#shell.once("error", ({ message }) => this.#exit = message);
    this.#shell.once("exit", (code, signal) => {
      this.#exit = String(code ?? signal);
    });
  }

  get #stays(): boolean {
    return this.#block.language === "console stays";
  }

  #script(): string {
    const serving = `until [ $(grep -c '${SERVES}' "$OUTPUT") -ge`;
    let servers = 0;
    return this.#typed.map(({ command }, index) => {
      const waits = command.endsWith("&")
        ? `${serving} ${++servers} ]; do sleep 0.05; done\n`
        : "";
      return `printf '\\036%s\\036' ${index}\n${command}\n${waits}`;
    }).join("");
  }

  /** Waits until all is typed and has come, or the last command goes on. */
  async typed(): Promise<void> {
    const last = this.#typed.length - 1;
    await until(() => `it is done: ${this.#said()}`, () => {
      if (this.#exit !== undefined) return true;
      const came = this.#came(last);
      const [first] = this.#typed[last]!.lines;
      return this.#stays && came !== undefined &&
        (first === undefined || came.some((line) => same(line, first)));
    }, PATIENCE);
    if (this.#exit !== undefined) {
      this.#isOver = this.#shell.pid === undefined || !this.#signal(0);
      assertEquals(this.#exit, "0", this.#said());
      assertEquals(this.#stays, false, `it has ended: ${this.#said()}`);
    }
    const done = this.#stays ? last : last + 1;
    if (this.#block.language === "sh") return;
    for (const [index, { lines }] of this.#typed.slice(0, done).entries()) {
      assertEquals(this.#came(index)?.map(plain), lines.map(plain));
    }
  }

  /** Waits until all that must come of a command that goes on has come. */
  async printed(): Promise<void> {
    if (!this.#stays) return;
    const { lines } = this.#typed.at(-1)!;
    await until(() => `all has come: ${this.#said()}`, () => {
      const came = this.#came(this.#typed.length - 1)!;
      const left = lines.slice();
      for (const line of came) {
        if (left.length > 0 && same(line, left[0]!)) left.shift();
      }
      return left.length === 0;
    });
    assertEquals(this.#exit, undefined, this.#said());
  }

  /** The lines of a command so far; undefined before it is typed. */
  #came(index: number): string[] | undefined {
    const parts = readFileSync(this.#output, "utf8").split(MARK);
    const text = parts[2 * index + 2];
    if (text === undefined) return undefined;
    const lines = text === "" ? [] : text.replace(/\n$/, "").split("\n");
    return lines.filter((line) => !AS_ROOT.test(line));
  }

  #said(): string {
    const { line, text } = this.#block;
    const output = readFileSync(this.#output, "utf8");
    return `line ${line}:\n${text}\nexit ${this.#exit}; it said:\n${output}`;
  }

  async close(): Promise<void> {
    if (this.#isOver) return;
    this.#shell.stdin?.end();
    this.#signal("SIGTERM");
    try {
      await until("all that was typed has ended", () => !this.#signal(0));
    } catch (error) {
      this.#signal("SIGKILL");
      throw error;
    }
  }

  /** Whether anything that was typed still runs to get the signal. */
  #signal(signal: NodeJS.Signals | 0): boolean {
    try {
      return process.kill(-this.#shell.pid!, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
      throw error;
    }
  }
}

/** What is another each time: times, process IDs, the addresses of a name. */
const VARIES: readonly [RegExp, string][] = [
  [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, "TIME"],
  [/\w+day, \w+ \d\d?, \d{4} \d\d:\d\d:\d\d-UTC/g, "TIME"],
  [/ pid=\d+/g, " pid=PID"],
  [/ addresses=("[^"]+"|\S+)/g, " addresses=ADDRESSES"],
];

/** What `check` warns of besides if the reader is root. */
const AS_ROOT =
  /: runs as root \(set user to run it as another user\) \(warning\)$/;

/** A line without what varies, and without the end that a terminal hides. */
function plain(line: string): string {
  return VARIES.reduce(
    (text, [pattern, name]) => text.replaceAll(pattern, name),
    line.replace(/\r$/, ""),
  );
}

function same(line: string, other: string): boolean {
  return plain(line) === plain(other);
}
