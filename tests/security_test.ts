/** SECURITY.md names tests: they are there, by these names. */
import { readdirSync, readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { assert } from "@std/assert";

const FOLDER = new URL("./", import.meta.url);
const text = readFileSync(new URL("../SECURITY.md", FOLDER), "utf8");
const files = new Set(readdirSync(FOLDER));

/** A file in code, and the names in quotes behind it. */
const NAMED = /`(\w+_test\.ts)`((?:,? "[^"]+")*)/g;

describe("SECURITY.md", () => {
  const named = [...text.matchAll(NAMED)];

  test("names the tests that show its defences", () => {
    assert(named.length > 20, `${named.length} of them`);
  });

  for (const [, file, names] of named) {
    for (const [, name] of names!.matchAll(/"([^"]+)"/g)) {
      test(`names what is in ${file}: ${name}`, () => {
        const source = readFileSync(new URL(file!, FOLDER), "utf8");
        assert(source.includes(name!), `${file} has no ${name}`);
      });
    }
    test(`names ${file}, which is there`, () => {
      assert(files.has(file!), `there is no tests/${file}`);
    });
  }
});
