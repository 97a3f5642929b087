import { describe, test } from "node:test";
import { assertEquals, assertThrows } from "@std/assert";
import { TcpmuxError } from "../src/errors.ts";
import {
  type CommandLine,
  type ReadableCommand,
  readCommandLine,
} from "../src/cli/flags.ts";

const COMMAND = {
  name: "try",
  positionals: [{
    name: "FILE",
    kind: "file",
    about: "a file",
    optional: true,
  }],
  flags: {
    config: {
      short: "c",
      value: { name: "FILE", kind: "file" },
      about: "which file",
    },
    "log-level": {
      value: { name: "LEVEL", kind: "choice", choices: ["info", "warn"] },
      about: "what is logged",
    },
    listen: {
      short: "l",
      value: { name: "ADDRESS", kind: "text" },
      repeated: true,
      about: "where to listen",
    },
    wait: { value: { name: "TIME", kind: "duration" }, about: "how long" },
    late: { value: { name: "TIME", kind: "seconds" }, about: "how late" },
    most: { value: { name: "NUMBER", kind: "count" }, about: "how many" },
    own: {
      value: { name: "FILE", kind: "file" },
      environment: false,
      about: "which own file",
    },
    ca: { value: { name: "FILE", kind: "file" }, about: "whom to trust" },
    json: { about: "print JSON" },
  },
} as const satisfies ReadableCommand;

function read(
  args: string,
  env: Record<string, string> = {},
): CommandLine<typeof COMMAND> {
  const words = args === "" ? [] : args.split(" ");
  return readCommandLine(words, COMMAND, (name) => env[name]);
}

const flags = (args: string, env?: Record<string, string>) =>
  read(args, env).flags;

describe("readCommandLine", () => {
  test("takes - as a value, and as an argument", () => {
    for (const args of ["--config -", "--config=-", "-c -"]) {
      assertEquals(flags(args).config, "-");
    }
    assertEquals(read("-").positionals, ["-"]);
    assertEquals(read("--json -").positionals, ["-"]);
    assertEquals(read("--json -- -").positionals, ["-"]);
    assertEquals(flags("--listen - --listen x").listen, ["-", "x"]);
  });

  test("without any flag", () => {
    const none = read("");
    assertEquals(none.positionals, []);
    assertEquals(none.flags, {
      config: undefined,
      "log-level": undefined,
      listen: [],
      wait: undefined,
      late: undefined,
      most: undefined,
      own: undefined,
      ca: undefined,
      json: false,
    });
  });

  test("gives each flag the type that the specification says", () => {
    const { "log-level": level, wait, json, config } = flags("");
    level satisfies "info" | "warn" | undefined;
    wait satisfies number | undefined;
    json satisfies boolean;
    config satisfies string | undefined;
    // @ts-expect-error -- there is no such flag
    assertEquals(flags("").nothing, undefined);
  });

  for (const args of ["--config x", "--config=x", "-c x", "-c=x"]) {
    test(`takes ${args}`, () => {
      assertEquals(flags(args).config, "x");
    });
  }

  test("takes the last of a value that is given twice", () => {
    assertEquals(flags("--config x -c y").config, "y");
  });

  test("takes lists in their order", () => {
    const { listen } = flags("--listen a:1 -l b:2 --listen=c:3");
    assertEquals(listen, ["a:1", "b:2", "c:3"]);
  });

  test("takes switches before words without eating them", () => {
    const { flags, positionals } = read("--json file");
    assertEquals([flags.json, positionals], [true, ["file"]]);
  });

  test("leaves numbers and all behind -- as the words they are", () => {
    assertEquals(read("007").positionals, ["007"]);
    assertEquals(read("-- --json").positionals, ["--json"]);
    assertEquals(flags("-- --json").json, false);
    assertEquals(flags("--config 1e3").config, "1e3");
    assertEquals(read("-").positionals, ["-"]);
  });

  test("reads times and numbers", () => {
    assertEquals(flags("--wait 2m").wait, 120_000);
    assertEquals(flags("--wait 0").wait, 0);
    assertEquals(flags("--late 0.5").late, 500);
    assertEquals(flags("--late 2s").late, 2000);
    assertEquals(flags("--most 17").most, 17);
  });

  const wrong: [string, string][] = [
    ["--confg x", "unknown flag --confg: did you mean --config?"],
    ["--lisen=x", "unknown flag --lisen: did you mean --listen?"],
    ["--hlp", "unknown flag --hlp: did you mean --help?"],
    ["--cacert x", "unknown flag --cacert: did you mean --ca?"],
    ["--pinnedpubkey x", "unknown flag --pinnedpubkey"],
    ["-x", "unknown flag -x"],
    ["--config.a x", "unknown flag --config.a"],
    ["--no-json", "unknown flag --no-json"],
    ["--toString", "unknown flag --toString"],
    ["--__proto__ x", "unknown flag --__proto__"],
    ["--config", "--config needs a value"],
    ["--config=", "--config needs a value"],
    ["--config --json", "--config needs a value"],
    ["--listen a:1 --listen", "--listen needs a value"],
    ["--log-level loud", '--log-level is "loud"; allowed: one of info, warn'],
    ["--wait 1", '--wait is "1"; allowed: a duration such as'],
    ["--late soon", '--late is "soon"; allowed: a time such as 0.5'],
    ["--most 0", '--most is "0"; allowed: a whole number from 1 to 999999'],
    ["a b", 'unexpected argument "b"'],
  ];
  for (const [args, why] of wrong) {
    test(`refuses ${args}`, () => {
      const error = assertThrows(() => flags(args), TcpmuxError, why);
      assertEquals(error.code, "usage");
    });
  }

  const client = {
    ...COMMAND,
    positionals: [
      { name: "HOST", kind: "host", about: "a server" },
      { name: "SERVICE", kind: "service", about: "a service" },
    ],
    flags: {},
  } as const satisfies ReadableCommand;
  const apart: [string, ReadableCommand, string][] = [
    ["h 1078 x", client, '"x": did you mean h:1078? (see'],
    ["::1 1078 x", client, '"x": did you mean [::1]:1078? (see'],
    ["h x y", client, 'unexpected argument "y" (see'],
    ["unix:/x 1078 y", client, 'unexpected argument "y" (see'],
    ["--port 1078 h x", client, "--port: the port follows the host: HOST:PORT"],
    ["-p 1078 h x", client, "flag -p: the port follows the host: HOST:PORT"],
    ["--port=1", COMMAND, "--port: did you mean --listen HOST:PORT?"],
    ["-p1", COMMAND, ": did you mean --listen HOST:PORT?"],
  ];
  for (const [args, command, why] of apart) {
    test(`says how a port is given: ${args}`, () => {
      const words = args.split(" ");
      assertThrows(
        () => readCommandLine(words, command, () => undefined),
        TcpmuxError,
        why,
      );
    });
  }

  test("takes from the environment what is not given", () => {
    const env = {
      TCPMUX_CONFIG: "env.toml",
      TCPMUX_LOG_LEVEL: "warn",
      TCPMUX_LISTEN: " a:1, b:2\tc:3 ",
    };
    const none = flags("", env);
    assertEquals(none.config, "env.toml");
    assertEquals(none["log-level"], "warn");
    assertEquals(none.listen, ["a:1", "b:2", "c:3"]);
    const given = flags("-c x -l d:4", env);
    assertEquals(given.config, "x");
    assertEquals(given.listen, ["d:4"]);
  });

  test("takes an empty variable for none", () => {
    const env = { TCPMUX_CONFIG: "", TCPMUX_LISTEN: " " };
    assertEquals(flags("", env).config, undefined);
    assertEquals(flags("", env).listen, []);
  });

  test("reads a variable as it reads the flag", () => {
    const env = { TCPMUX_LOG_LEVEL: "loud" };
    const why = 'TCPMUX_LOG_LEVEL is "loud"; allowed: ';
    assertThrows(() => flags("", env), TcpmuxError, why);
    assertEquals(flags("--log-level info", env)["log-level"], "info");
  });

  test("takes no variable for a flag that has none", () => {
    assertEquals(flags("", { TCPMUX_OWN: "x" }).own, undefined);
  });
});

describe("a command with arguments that it needs", () => {
  const command = {
    name: "ask",
    positionals: [
      { name: "HOST", kind: "host", about: "a host" },
      {
        name: "COLOUR",
        kind: "choice",
        choices: ["red", "blue"],
        about: "a colour",
      },
      {
        name: "MORE",
        kind: "text",
        about: "more",
        optional: true,
        repeated: true,
      },
    ],
    flags: {},
  } as const satisfies ReadableCommand;
  const read = (...words: string[]) =>
    readCommandLine(words, command, () => undefined).positionals;

  test("gets them", () => {
    const [host, colour, ...more] = read("h", "red", "a", "b");
    host satisfies string;
    colour satisfies "red" | "blue";
    assertEquals([host, colour, more], ["h", "red", ["a", "b"]]);
  });

  for (const words of [[], ["h"]]) {
    test(`refuses ${words.length} of them`, () => {
      const says = "ask needs a host and a colour: tcpmux ask HOST red|blue (";
      assertThrows(() => read(...words), TcpmuxError, says);
    });
  }

  test("refuses a word that is not among the choices", () => {
    assertThrows(() => read("h", "green"), TcpmuxError, 'is "green"; allowed');
  });
});

test("a flag that goes with some first words is refused with others", () => {
  const command = {
    name: "keep",
    positionals: [{
      name: "ACTION",
      kind: "choice",
      choices: ["make", "mend", "show"],
      about: "an action",
    }],
    flags: {
      all: { about: "all of them", actions: ["show"] },
      days: {
        value: { name: "NUMBER", kind: "count" },
        about: "how long",
        actions: ["make", "mend"],
      },
      name: {
        value: { name: "NAME", kind: "text" },
        repeated: true,
        about: "whose",
        actions: ["make"],
      },
    },
  } as const satisfies ReadableCommand;
  const read = (...words: string[]) =>
    readCommandLine(
      words,
      command,
      (name) => name === "TCPMUX_DAYS" ? "9" : undefined,
    );
  assertEquals(read("show", "--all").flags, { all: true, days: 9, name: [] });
  assertEquals(read("make", "--days=3", "--name", "x").flags, {
    all: false,
    days: 3,
    name: ["x"],
  });
  for (
    const [words, says] of [
      [["make", "--all"], "--all goes with keep show alone"],
      [
        ["show", "--days", "3"],
        "--days goes with keep make or keep mend alone",
      ],
      [["mend", "--name", "x"], "--name goes with keep make alone"],
    ] as const
  ) assertThrows(() => read(...words), TcpmuxError, says);
});
