/** Every tests/tables/*.toml is wrong in the ways that *.expected lists. */
import { readdirSync, readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { formatProblem, TableError } from "../src/table/problem.ts";
import type { TableInput } from "../src/table/input.ts";
import { buildTable, parseTable } from "../src/table/parse.ts";

const FOLDER = new URL("./tables/", import.meta.url);

function read(name: string): string {
  return readFileSync(new URL(name, FOLDER), "utf8");
}

/** The problems of a table, one a line, without the file's name. */
function problemsOf(text: string): string {
  const error = assertThrows(() => parseTable(text, "table"), TableError);
  for (const { file, line, message } of error.problems) {
    assertEquals(file, "table");
    assert(line! >= 1 && line! <= text.split("\n").length, `line ${line}`);
    assert(message !== "");
  }
  return error.problems.map(({ file: _, line, ...problem }) =>
    `${line}: ${formatProblem(problem)}\n`
  ).join("");
}

describe("a table that is wrong", () => {
  const files = readdirSync(FOLDER).filter((name) => name.endsWith(".toml"));
  for (const file of files.toSorted()) {
    test(file, () => {
      assertEquals(
        problemsOf(read(file)),
        read(file.replace(".toml", ".expected")),
      );
      assert(!("polluted" in {}), "every object has got a key");
    });
  }
});

const HOLDS_ITSELF: unknown[] = [];
HOLDS_ITSELF.push(HOLDS_ITSELF);

describe("a table of objects that is wrong", () => {
  const rows: [string, unknown, string][] = [
    ["not an object", 1, "is 1; allowed: a table"],
    ["null", null, "is null; allowed: a table"],
    ["an unknown key", { sevices: {} }, "sevices: unknown key"],
    ["a service that is a number", { services: { a: 1 } }, "services.a: is 1"],
    ["an unknown key of a handler", {
      services: { a: { handler() {}, exec: [] } },
    }, "services.a.exec: "],
    ["a pause without a rate", {
      services: { a: { handler() {}, rate_pause: "1s" } },
    }, "services.a.rate_pause: needs rate"],
    ["a handler that is none", {
      services: { a: { handler: 1 } },
    }, "services.a.handler: is 1; allowed: a function"],
    ["a function for a value", {
      services: { a: { text: () => "" } },
    }, "services.a.text: is a function; allowed: text in quotes"],
    [
      "a name",
      { services: { "a b": () => {} } },
      'services."a b": is not a valid',
    ],
    ["names that differ in case", {
      services: { a: () => {}, A: () => {} },
    }, "already used by the service a"],
    ["undefined for a value", {
      services: { a: { connect: undefined } },
    }, "services.a.connect: is missing"],
    ["a number that is none in JSON", {
      server: { max_connections: 10n },
    }, "server.max_connections: is 10; allowed: a whole number"],
    ["a key that all objects have", {
      server: { constructor: 1 },
    }, "server.constructor: unknown key"],
    ["a Map for a table", {
      server: { log: new Map() },
    }, "server.log: is [object Map]; allowed: a table"],
    ["a promise for a table", {
      services: { a: { exec: ["cat"], env: Promise.resolve({}) } },
    }, "services.a.env: is [object Promise]; allowed: a table"],
    ["a list that holds itself", {
      server: { help: HOLDS_ITSELF },
    }, "server.help: is [object Array]; allowed: true or false"],
    ["a BigInt in an object", {
      server: { admin: { port: 1n } },
    }, "server.admin: is [object Object]; allowed: HOST:PORT"],
    ["an unknown key that is inherited", {
      server: Object.create({ hlep: true }),
    }, "server.hlep: unknown key"],
    ["a time below 0", { server: { idle_timeout: -1 } }, "server.idle_timeout"],
  ];
  for (const [what, input, message] of rows) {
    test(what, () => {
      const error = assertThrows(
        () => buildTable(input as TableInput),
        TableError,
        message,
      );
      assertEquals(error.code, "invalid_table");
      assertEquals(error.problems.length, 1, error.message);
      assertEquals(error.problems[0]!.line, undefined);
    });
  }

  test("all problems come at once", () => {
    const error = assertThrows(
      () =>
        buildTable(
          {
            server: { listen: "x", help: 1 },
            services: { a: { builtin: "x", foo: 1 }, b: {} },
          } as unknown as TableInput,
        ),
      TableError,
    );
    assertEquals(error.problems.map(({ key }) => key).toSorted(), [
      "server.help",
      "server.listen",
      "services.a.builtin",
      "services.a.foo",
      "services.b",
    ]);
  });
});
