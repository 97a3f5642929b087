import { describe, test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { readToml } from "../src/table/document.ts";
import { locateKeys } from "../src/table/locate.ts";
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
});
