/** Output of every command is written in full, or there is an exit code. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { runCommand, tcpmux } from "./support/command.ts";
import { answers, freePort, withFolder } from "./support/daemon.ts";
import { needs } from "./support/needs.ts";
import { programUnderTest, withServer } from "./support/server.ts";
import { type Kind, SharingProcess } from "./support/shared.ts";
import { until } from "./support/wait.ts";

const TABLE = `[services.big]
text = ${JSON.stringify("all of this is to arrive\n".repeat(100))}
`;

/**
 * A table of which more is to be said than a pipe holds. It has few services:
 * for each, the user is looked up who would run its program.
 */
const MANY = 'server.listen = "127.0.0.1:0"\n' + Array.from(
  { length: 40 },
  (_, index) =>
    `[services.${"a-long-name-".repeat(12)}${index}]\n` +
    `exec = ["/nowhere${"/in-this-folder".repeat(120)}/program"]\n`,
).join("");

/** Words of every command that prints and ends. */
const COMMANDS: Record<string, (server: string, table: string) => string[]> = {
  "--version": () => ["--version"],
  "--licenses": () => ["--licenses"],
  "serve --help": () => ["serve", "--help"],
  "completions": () => ["completions", "bash"],
  "check --json": (_, table) => ["check", table, "--json"],
  "list": (server) => ["list", server],
  "probe": (server) => ["probe", server, "--json"],
  "connect": (server) => ["connect", server, "big"],
};

/** Without what differs from one probe to the next. */
function comparable(text: string): string {
  return text.replaceAll(/"seconds":[\d.]+|\/[^"]*tcpmux-test-[^"\/]*/g, "");
}

/** Runs `use` with the words of each command, one after the other. */
function withCommands(
  use: (name: string, words: string[], folder: string) => Promise<void>,
): Promise<void> {
  return withServer(TABLE, async ({ port }, folder) => {
    for (const [name, words] of Object.entries(COMMANDS)) {
      const table = join(folder, "many.toml");
      writeFileSync(table, MANY);
      await use(name, words(`127.0.0.1:${port}`, table), folder);
    }
  });
}

/** What each command prints where nothing is in its way. */
const printed = new Map<string, string>();

async function expected(name: string, words: string[]): Promise<string> {
  const known = printed.get(name);
  if (known !== undefined) return known;
  const { out } = await tcpmux(words);
  printed.set(name, comparable(out));
  return comparable(out);
}

/** Runs the program behind a redirection of the shell. */
function redirected(redirection: string, words: readonly string[]) {
  const script = `"$@" ${redirection}`;
  return runCommand([
    ...["sh", "-c", script, "sh"],
    ...programUnderTest(),
    ...words,
  ]);
}

describe("standard output", needs("perl"), () => {
  for (const kind of ["pipe", "terminal", "socket"] as const) {
    test(`a ${kind} that is full gets all of it, and stays as it was`, () =>
      withCommands(async (name, words) => {
        const out = await expected(name, words);
        const sharing = new SharingProcess("1", `full-${kind}`, words);
        try {
          sharing.startReading();
          const left = kind === "terminal" ? "blocking echo" : "blocking";
          assertEquals(await sharing.ended(), `0 ${left}`, name);
          await until(
            `all of ${name} has been read`,
            () => comparable(sharing.read) === out,
          );
          assertEquals(sharing.err.split("\n").length, 3, sharing.err);
        } finally {
          await sharing.close();
        }
      }));
  }

  test("a file gets all of it behind what it holds", () =>
    withCommands(async (name, words, folder) => {
      const out = await expected(name, words);
      const file = join(folder, "out");
      writeFileSync(file, "before\n");
      assertEquals((await redirected(`>> ${file}`, words)).code, 0);
      const all = readFileSync(file, "utf8");
      assertEquals(comparable(all), `before\n${out}`, name);
    }));

  test("a disk that is full is an error", () =>
    withCommands(async (name, words) => {
      const { code, err } = await redirected("> /dev/full", words);
      assertEquals(code, name === "probe" ? 3 : 74, `${name}: ${err}`);
      assertMatch(err, /^tcpmux: cannot write: [^\n]*space[^\n]*\n$/);
    }));

  test("one whose reader is gone is no error", () =>
    withCommands(async (name, words) => {
      const script = '{ sleep 0.1; "$@"; echo "$?" >&2; } | true';
      const { err } = await runCommand([
        ...["sh", "-c", script, "sh"],
        ...programUnderTest(),
        ...words,
      ]);
      assertEquals(err, "0\n", name);
    }));

  test("one that is closed is like /dev/null", () =>
    withCommands(async (name, words) => {
      const { code, err } = await redirected(">&-", words);
      assertEquals([code, err], [0, ""], name);
    }));
});

describe("what is written is the same", () => {
  for (const redirection of ["<&- 2>&-", "2> /dev/full"]) {
    test(`with ${redirection}`, () =>
      withCommands(async (name, words) => {
        const out = await expected(name, words);
        const other = await redirected(redirection, words);
        assertEquals(other.code, 0, name);
        assertEquals(comparable(other.out), out, name);
      }));
  }

  test(
    "with one socket as all three",
    needs("perl"),
    () =>
      withCommands(async (name, words) => {
        const out = await expected(name, words);
        const sharing = new SharingProcess("012", "socket", words);
        try {
          sharing.startReading();
          assertEquals(await sharing.ended(), "0 blocking", name);
          await until(
            `all of ${name} has been read`,
            () => comparable(sharing.read) === out,
          );
        } finally {
          await sharing.close();
        }
      }),
  );
});

describe("standard error", () => {
  test("of check that is lost is an error", () =>
    withFolder(async (folder) => {
      const file = join(folder, "services.toml");
      writeFileSync(file, MANY);
      const { code } = await redirected("2> /dev/full", ["check", file]);
      assertEquals(code, 74);
    }));
});

/** Runs `use` with a command that serves, at a port, and says so as JSON. */
async function withDaemons(
  use: (words: string[], port: number) => Promise<void>,
): Promise<void> {
  await withServer(TABLE, async (server) => {
    const upstream = `127.0.0.1:${server.port}`;
    for (const command of ["forward", "proxy"]) {
      const port = await freePort();
      const local = command === "forward" ? `${port}=big` : String(port);
      await use([command, local, upstream, "--json"], port);
    }
  });
}

describe("forward and proxy --json", needs("perl"), () => {
  for (const kind of ["full-pipe", "full-terminal", "full-socket"] as Kind[]) {
    test(`serve while a ${kind} is not read, and print all`, () =>
      withDaemons(async (words, port) => {
        const sharing = new SharingProcess("1", kind, words);
        try {
          await until("it answers", () => answers(port));
          sharing.startReading();
          await until("all has been read", () => /}\n$/.test(sharing.read));
          JSON.parse(sharing.read);
          await sharing.signal("SIGTERM");
          assertMatch(await sharing.ended(), /^0 blocking/);
        } finally {
          await sharing.close();
        }
      }));

    test(`end with 74 if nobody reads a ${kind}`, () =>
      withDaemons(async (words, port) => {
        const sharing = new SharingProcess("1", kind, words);
        try {
          await until("it answers", () => answers(port));
          await sharing.signal("SIGTERM");
          assertMatch(await sharing.ended(), /^74 blocking/);
          assertMatch(
            sharing.err,
            /^tcpmux: cannot write to standard output: its reader/m,
          );
        } finally {
          await sharing.close();
        }
      }));
  }

  test("end with 74 if the disk is full", () =>
    withDaemons(async (words) => {
      const { code, err } = await redirected("> /dev/full", words);
      assertEquals(code, 74);
      assertMatch(err, /^tcpmux: cannot write: .*space/m);
      assert(!/ stopping /.test(err), err);
    }));
});
