import { describe, test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { readToml } from "../src/table/files/document.ts";
import { locateKeys } from "../src/table/files/locate.ts";
import { pathKey } from "../src/table/problem.ts";

describe("locateKeys", () => {
  /** The path of every key below a value. */
  function pathsOf(value: unknown, path: string[]): string[] {
    const own = path.length > 0 ? [pathKey(path)] : [];
    if (typeof value !== "object" || value === null || value instanceof Date) {
      return own;
    }
    const below = Object.entries(value).flatMap(([key, inner]) =>
      pathsOf(inner, [...path, key])
    );
    return [...own, ...below];
  }

  const value = fc.letrec<{ value: string }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      fc.constantFrom("1", "true", "1979-05-27 07:32:00", '"#"', "'\"'"),
      fc.constantFrom('"""a\n[b]\\""""', "'''\nc = 1\n'''", '"\\""', "inf"),
      fc.array(tie("value"), { maxLength: 3 }).map((items) =>
        `[ # [\n${items.join(" ,\n")}\n]`
      ),
      fc.array(tie("value"), { maxLength: 3 }).map((items) =>
        `{ ${items.map((item, i) => `k${i} = ${item}`).join(", ")} }`
      ),
    ),
  })).value;
  const header = fc.constantFrom("a", "a.b", '"x y".z', " c . 'd.e' ", "f.1");

  test("knows the line of every key that the parser finds", () => {
    let parsed = 0;
    fc.assert(fc.property(
      fc.uniqueArray(header),
      fc.array(value, { maxLength: 5 }),
      fc.constantFrom("\n", "\r\n", " # = [\n"),
      (headers, values, end) => {
        const body = values.map((item, i) => `v${i}=${item}${end}`).join("");
        const text = headers.map((name) => `[${name}]${end}${body}`).join("");
        const toml = readToml(text);
        if (!toml.ok) return; // a table behind its own subtable
        parsed++;
        const located = locateKeys(text);
        assertEquals(located.faults, []);
        assert(located.readable);
        const lines = text.split("\n");
        for (const path of pathsOf(toml.value, [])) {
          const line = located.lines.get(path);
          assert(line !== undefined, `no line for ${JSON.stringify(path)}`);
          const last = path.split("\n").at(-1)!;
          if (/^v\d+$/.test(last)) {
            assert(lines[line - 1]!.startsWith(`${last}=`), `${last}: ${line}`);
          }
        }
      },
    ));
    assert(parsed > 20, `${parsed} texts were TOML`);
  });

  test("finds where a text may be cut, so that its pieces say the same", () => {
    const heading = fc.constantFrom(
      "[[l]]",
      "[l.m]",
      "[[l.n]]",
      "[a]",
      "[a.b]",
    );
    const key = fc.constantFrom("x", "y", '"z.z"', "u.v", "u.w");
    const section = fc.tuple(heading, fc.uniqueArray(key), value);
    let cut = 0;
    fc.assert(fc.property(fc.array(section), (sections) => {
      const text = sections.map(([head, keys, value]) =>
        `${head} # ]\n${keys.map((key) => `${key} = ${value}\n`).join("")}`
      ).join("");
      const toml = readToml(text);
      const { breaks = [], faults } = locateKeys(text, 1);
      if (!toml.ok || faults.length > 0) return;
      cut += breaks.length;
      assertEquals(readToml(text, breaks), toml);
    }));
    assert(cut > 20, `${cut} places to cut`);
  });

  test("cuts no table of an array, whose header makes another", () => {
    const { breaks } = locateKeys("[[a]]\nx = 1\ny = 2\n[b]\nx=1\n# \ny=2", 1);
    assertEquals(breaks, [{ at: 29, line: 7, header: "[b]" }]);
  });

  test("an error in a later piece is in its line", () => {
    const text = "[a]\nx = 1\n\ny = 'z\n";
    const toml = readToml(text, locateKeys(text, 1).breaks);
    assert(!toml.ok);
    assertEquals(toml.error, (readToml(text) as typeof toml).error);
    assertEquals(toml.error.line, 4);
  });
});
