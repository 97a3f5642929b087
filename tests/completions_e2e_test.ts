import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { COMMANDS as SPECS } from "../src/cli/spec.ts";
import { type CommandSpec, flagsWithHelp } from "../src/cli/spec/parts.ts";
import { tcpmux } from "./support/command.ts";
import { ask } from "./support/client.ts";
import { type Controlled, withControlled } from "./support/control.ts";
import { needs } from "./support/needs.ts";
import { mustRun, quoted } from "./support/run.ts";
import { programUnderTest, ROOT, withServer } from "./support/server.ts";

/** The last one is what a server would say to make a shell run it. */
const EVIL = "$(touch${IFS}evil)`touch${IFS}evil`;'";
const TABLE = `
[services.echo]
builtin = "echo"
[services.daytime]
builtin = "daytime"
[services.discard]
builtin = "discard"
[services."with:colon"]
text = ""
[services."${EVIL}"]
text = ""
`;

const COMMANDS = SPECS.map(({ name }) => name);

function flagsOf(command: CommandSpec): string[] {
  return flagsWithHelp(command).map(([long]) => `--${long}`);
}

const folder = mkdtempSync(join(tmpdir(), "tcpmux-completions-"));

/** Runs `use` with a server that has one session, and the session's number. */
function withSession(
  use: (controlled: Controlled, id: string) => Promise<void>,
): Promise<void> {
  return withControlled(TABLE, async (controlled) => {
    const { conn } = await ask(controlled.server.port, "echo");
    try {
      const [session] = await controlled.sessions();
      await use(controlled, String(session!.id));
    } finally {
      conn.close();
    }
  });
}

/** Runs a shell in which `tcpmux` is the program under test. */
async function shell(...words: string[]): Promise<string[]> {
  const env = {
    PATH: `${folder}:${process.env.PATH}`,
    HOME: folder,
    // Where Deno has the program's packages already, whatever HOME says.
    DENO_DIR: process.env.DENO_DIR ?? `${process.env.HOME}/.cache/deno`,
  };
  const { stdout } = await mustRun(words, { env, timeout: 60_000 });
  return String(stdout).split("\n").slice(0, -1);
}

function script(name: string): string {
  return join(ROOT, "tests", "support", name);
}

before(async () => {
  const program = join(folder, "tcpmux");
  const words = programUnderTest().map(quoted).join(" ");
  writeFileSync(program, `#!/bin/sh\nexec ${words} "$@"\n`);
  chmodSync(program, 0o700);
  for (const name of ["bash", "zsh", "fish"]) {
    const { code, out, err } = await tcpmux(["completions", name]);
    assertEquals([code, err], [0, ""]);
    writeFileSync(join(folder, name), out);
  }
  mkdirSync(join(folder, "tables"));
  writeFileSync(join(folder, "tables", "services.toml"), "");
});
after(() => rmSync(folder, { recursive: true, force: true }));

describe("tcpmux completions", () => {
  test("takes a shell that it knows", async () => {
    for (
      const [words, says] of [
        [[], /needs a shell: tcpmux completions bash\|zsh\|fish \(/],
        [["tcsh"], /SHELL is "tcsh"; allowed: one of bash, zsh, fish/],
        [["bash", "zsh"], /unexpected argument "zsh"/],
      ] as [string[], RegExp][]
    ) {
      const { code, out, err } = await tcpmux(["completions", ...words]);
      assertEquals([code, out], [64, ""]);
      assertMatch(err, says);
    }
  });
});

describe("bash", needs("bash"), () => {
  const complete = (line: string, rest = "") =>
    shell("bash", script("complete.bash"), join(folder, "bash"), line, rest);

  test("completes commands, flags, values and files", async () => {
    assertEquals(await complete("tcpmux "), COMMANDS);
    assertEquals(await complete("tcpmux com"), ["completions"]);
    assertEquals(await complete("tcpmux --log-f"), ["--log-format"]);
    for (const command of SPECS) {
      assertEquals(
        await complete(`tcpmux ${command.name} -`),
        flagsOf(command),
      );
    }
    assertEquals(await complete("tcpmux --log-format "), [
      "text",
      "json",
      "xinetd",
    ]);
    assertEquals(await complete("tcpmux serve --log-level=w"), ["warn"]);
    assertEquals(await complete("tcpmux completions "), [
      "bash",
      "zsh",
      "fish",
    ]);
    assertEquals(await complete("tcpmux cert re"), ["renew", "revoke"]);
    assertEquals(await complete("tcpmux cert revoke x --reason k"), [
      "keyCompromise",
    ]);
    assertEquals(await complete("tcpmux nothing "), []);
    const file = `${folder}/tables/services.toml`;
    for (const words of ["check", "check -c", "-c", "serve --config"]) {
      assertEquals(await complete(`tcpmux ${words} ${folder}/tables/`), [file]);
    }
    assertEquals(await complete(`tcpmux probe -c ${folder}/tables/`), []);
  });

  test("asks the server for the names of services, and runs none", () =>
    withServer(TABLE, async ({ port }) => {
      const server = `127.0.0.1:${port}`;
      const all = await complete(`tcpmux connect ${server} `);
      assertEquals(all.slice(0, 4), [
        "echo",
        "daytime",
        "discard",
        "with:colon",
      ]);
      const word = await shell("bash", "-c", `printf '%s\\n' ${all[4]}`);
      assertEquals(word, [EVIL]); // quoted, it is one word and no command
      assert(!existsSync("evil") && !existsSync(join(folder, "evil")));
      const dis = ["discard"];
      assertEquals(await complete(`tcpmux connect -t 5s ${server} dis`), dis);
      assertEquals(await complete(`tcpmux probe -4 ${server} echo dis`), dis);
      assertEquals(await complete(`tcpmux connect ${server} with:`), ["colon"]);
      assertEquals(await complete(`tcpmux connect ${server} echo `), []);
      // The server stands behind what is completed, or before it.
      assertEquals(await complete("tcpmux forward 80=dis", ` ${server}`), dis);
      const before = `tcpmux forward ${server} 80=echo 81=dis`;
      assertEquals(await complete(before), dis);
      assertEquals(await complete("tcpmux forward 80=dis"), []);
    }));

  test("asks the server of this machine for its services and sessions", () =>
    withSession(async ({ path }, id) => {
      const control = `--control ${path}`;
      const all = await complete(`tcpmux disable ${control} `);
      assertEquals(all.slice(0, 2), ["echo", "daytime"]);
      const word = await shell("bash", "-c", `printf '%s\\n' ${all[4]}`);
      assertEquals(word, [EVIL]);
      assert(!existsSync("evil") && !existsSync(join(folder, "evil")));
      const dis = ["discard"];
      assertEquals(await complete(`tcpmux enable --control=${path} d`), [
        "daytime",
        "discard",
      ]);
      assertEquals(await complete(`tcpmux kill ${control} --service di`), dis);
      assertEquals(await complete(`tcpmux kill ${control} `), [id]);
      assertEquals(await complete(`tcpmux kill ${control} ${id} `), []);
      assertEquals(await complete("tcpmux kill --control /nothing "), []);
    }));

  test("says nothing where no server answers", async () => {
    assertEquals(await complete("tcpmux connect 127.0.0.1:9 "), []);
  });
});

describe("zsh", needs("zsh"), () => {
  const complete = (...lines: string[]) => {
    const files = [join(folder, "zsh"), join(folder, "completed")];
    return shell("zsh", "-f", script("complete.zsh"), ...files, ...lines);
  };

  test("takes the script", async () => {
    assertEquals(await shell("zsh", "-n", join(folder, "zsh")), []);
  });

  test("completes commands, flags, values and files", async () => {
    assertEquals(
      await complete(
        "tcpmux comp",
        "tcpmux connect --send",
        "tcpmux --conf",
        "tcpmux serve --log-level=w",
        "tcpmux completions f",
        "tcpmux cert rev",
        "tcpmux cert revoke x --reason k",
        `tcpmux check ${folder}/tables/s`,
        `tcpmux -c ${folder}/tables/s`,
      ),
      [
        "tcpmux completions ",
        "tcpmux connect --send-all ",
        "tcpmux --config=",
        "tcpmux serve --log-level=warn ",
        "tcpmux completions fish ",
        "tcpmux cert revoke ",
        "tcpmux cert revoke x --reason keyCompromise ",
        `tcpmux check ${folder}/tables/services.toml `,
        `tcpmux -c ${folder}/tables/services.toml `,
      ],
    );
  });

  test("asks the server for the names of services", () =>
    withServer(TABLE, async ({ port }) => {
      const server = `127.0.0.1:${port}`;
      const evil = await complete(`tcpmux connect ${server} $`);
      assertEquals(evil.length, 1);
      assert(!existsSync("evil") && !existsSync(join(folder, "evil")));
      assertEquals(
        await complete(
          `tcpmux connect ${server} dis`,
          `tcpmux probe -t 5s ${server} echo day`,
          `tcpmux forward ${server} 80=dis`,
        ),
        [
          `tcpmux connect ${server} discard `,
          `tcpmux probe -t 5s ${server} echo daytime `,
          `tcpmux forward ${server} 80=discard `,
        ],
      );
    }));

  test("asks the server of this machine for its services and sessions", () =>
    withSession(async ({ path }, id) => {
      const control = `--control ${path}`;
      assertEquals(
        await complete(
          `tcpmux disable ${control} dis`,
          `tcpmux enable --control=${path} day`,
          `tcpmux kill ${control} --service ech`,
          `tcpmux kill ${control} `,
        ),
        [
          `tcpmux disable ${control} discard `,
          `tcpmux enable --control=${path} daytime `,
          `tcpmux kill ${control} --service echo `,
          `tcpmux kill ${control} ${id} `,
        ],
      );
    }));
});

describe("fish", needs("fish"), () => {
  /** The candidates without what is said of them. */
  const complete = async (line: string) => {
    const command = `source ${join(folder, "fish")}; complete -C ${
      quoted(line)
    }`;
    const lines = await shell("fish", "--no-config", "-c", command);
    return lines.map((candidate) => candidate.split("\t")[0]!).sort();
  };

  test("completes commands, flags, values and files", async () => {
    assertEquals(await complete("tcpmux "), COMMANDS.toSorted());
    for (const command of SPECS) {
      assertEquals(
        await complete(`tcpmux ${command.name} --`),
        flagsOf(command).sort(),
      );
    }
    assertEquals(await complete("tcpmux --log-level w"), ["warn"]);
    assertEquals(await complete("tcpmux completions "), [
      "bash",
      "fish",
      "zsh",
    ]);
    assertEquals(await complete("tcpmux cert re"), ["renew", "revoke"]);
    assertEquals(await complete("tcpmux cert revoke x --reason k"), [
      "keyCompromise",
    ]);
    const file = `${folder}/tables/services.toml`;
    assertEquals(await complete(`tcpmux check ${folder}/tables/`), [file]);
    assertEquals(await complete(`tcpmux -c ${folder}/tables/s`), [file]);
  });

  test("asks the server for the names of services", () =>
    withServer(TABLE, async ({ port }) => {
      const server = `127.0.0.1:${port}`;
      const names = ["daytime", "discard", "echo", "with:colon", EVIL];
      const all = await complete(`tcpmux connect ${server} `);
      assertEquals(all.sort(), names.sort());
      assert(!existsSync("evil") && !existsSync(join(folder, "evil")));
      assertEquals(
        await complete(`tcpmux probe -t 5s ${server} echo dis`),
        ["discard"],
      );
      assertEquals(await complete(`tcpmux connect ${server} echo `), []);
      assertEquals(
        await complete(`tcpmux forward ${server} 80=dis`),
        ["80=discard"],
      );
      assertEquals(await complete("tcpmux forward 80=dis"), []);
    }));

  test("asks the server of this machine for its services and sessions", () =>
    withSession(async ({ path }, id) => {
      const control = `--control ${path}`;
      const all = await complete(`tcpmux disable ${control} `);
      assertEquals(
        all.sort(),
        ["daytime", "discard", "echo", "with:colon", EVIL].sort(),
      );
      assert(!existsSync("evil") && !existsSync(join(folder, "evil")));
      assertEquals(await complete(`tcpmux enable --control=${path} dis`), [
        "discard",
      ]);
      assertEquals(
        await complete(`tcpmux kill ${control} --service dis`),
        ["discard"],
      );
      assertEquals(await complete(`tcpmux kill ${control} `), [id]);
      assertEquals(await complete(`tcpmux kill ${control} ${id} `), []);
    }));
});
