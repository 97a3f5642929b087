import { describe, test } from "node:test";
import { assertEquals, assertThrows } from "@std/assert";
import { TcpmuxError } from "../src/errors.ts";
import { type Flags, oneOf, readFlags } from "../src/cli/flags.ts";

const SPEC = {
  values: ["config", "log-level"],
  lists: ["listen"],
  switches: ["json"],
  short: { c: "config", l: "listen" },
  words: 1,
};

function flags(args: string, env: Record<string, string> = {}): Flags {
  const words = args === "" ? [] : args.split(" ");
  return readFlags(words, SPEC, (name) => env[name]);
}

describe("readFlags", () => {
  test("without any", () => {
    const none = flags("");
    assertEquals(none.words, []);
    assertEquals(none.value("config"), undefined);
    assertEquals(none.list("listen"), []);
    assertEquals(none.on("json"), false);
  });

  for (const args of ["--config x", "--config=x", "-c x", "-c=x"]) {
    test(`takes ${args}`, () => {
      assertEquals(flags(args).value("config"), "x");
    });
  }

  test("takes the last of a value that is given twice", () => {
    assertEquals(flags("--config x -c y").value("config"), "y");
  });

  test("takes lists in their order", () => {
    const { list } = flags("--listen a:1 -l b:2 --listen=c:3");
    assertEquals(list("listen"), ["a:1", "b:2", "c:3"]);
  });

  test("takes switches before words without eating them", () => {
    const given = flags("--json file");
    assertEquals([given.on("json"), given.words], [true, ["file"]]);
  });

  test("leaves numbers and all behind -- as the words they are", () => {
    assertEquals(flags("007").words, ["007"]);
    assertEquals(flags("-- --json").words, ["--json"]);
    assertEquals(flags("-- --json").on("json"), false);
    assertEquals(flags("--config 1e3").value("config"), "1e3");
    assertEquals(flags("-").words, ["-"]);
  });

  const wrong: [string, string][] = [
    ["--confg x", "no flag --confg; the nearest is --config"],
    ["--lisen=x", "no flag --lisen=x; the nearest is --listen"],
    ["-x", "no flag -x"],
    ["--config.a x", "no flag --config.a"],
    ["--no-json", "no flag --no-json"],
    ["--toString", "no flag --toString"],
    ["--__proto__ x", "no flag --__proto__"],
    ["--config", "--config needs a value"],
    ["--config=", "--config needs a value"],
    ["--config --json", "--config needs a value"],
    ["--listen a:1 --listen", "--listen needs a value"],
    ["a b", '"b" is one word too many'],
  ];
  for (const [args, why] of wrong) {
    test(`refuses ${args}`, () => {
      const error = assertThrows(() => flags(args), TcpmuxError, why);
      assertEquals(error.code, "usage");
    });
  }

  test("takes from the environment what is not given", () => {
    const env = {
      TCPMUX_CONFIG: "env.toml",
      TCPMUX_LOG_LEVEL: "warn",
      TCPMUX_LISTEN: " a:1, b:2\tc:3 ",
    };
    const none = flags("", env);
    assertEquals(none.value("config"), "env.toml");
    assertEquals(none.value("log-level"), "warn");
    assertEquals(none.list("listen"), ["a:1", "b:2", "c:3"]);
    const given = flags("-c x -l d:4", env);
    assertEquals(given.value("config"), "x");
    assertEquals(given.list("listen"), ["d:4"]);
  });

  test("takes an empty variable for none", () => {
    const env = { TCPMUX_CONFIG: "", TCPMUX_LISTEN: " " };
    assertEquals(flags("", env).value("config"), undefined);
    assertEquals(flags("", env).list("listen"), []);
  });
});

test("oneOf says what is allowed", () => {
  assertEquals(oneOf("f", "a", ["a", "b"]), "a");
  assertEquals(oneOf("f", undefined, ["a", "b"]), undefined);
  assertThrows(
    () => oneOf("f", "c", ["a", "b"]),
    TcpmuxError,
    '--f is "c", but may be a, b',
  );
});
