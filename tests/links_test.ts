/** Every link of the documents to a file, or to a heading of one, leads there. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describe, test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { ROOT } from "./support/server.ts";

const DOCUMENTS = [
  "README.md",
  "CONTRIBUTING.md",
  "SECURITY.md",
  ...named(readdirSync(join(ROOT, "docs"))).map((name) => `docs/${name}`),
  ...named(readdirSync(join(ROOT, "examples"), { recursive: true }))
    .map((name) => `examples/${name}`),
];

function named(files: readonly (string | Uint8Array)[]): string[] {
  return files.map(String).filter((name) => name.endsWith(".md"));
}

function read(file: string): string {
  return readFileSync(join(ROOT, file), "utf8");
}

/** The text without blocks of code. */
function prose(text: string): string {
  return text.replaceAll(/^( *)(`{3,}).*\n[^]*?^\1\2`* *$/gm, "");
}

/** The targets of all links and images that lead to no other host. */
function linksIn(text: string): string[] {
  const link = /\]\(<?([^()\s>]+)>?(?:\s+"[^"]*")?\)/g;
  const reference = /^\[[^\]]+\]: +(\S+)/gm;
  const spoken = prose(text).replaceAll(/`[^`]+`/g, "code");
  return [link, reference]
    .flatMap((kind) => [...spoken.matchAll(kind)])
    .map(([, target]) => target!)
    .filter((target) => !/^[a-z]+:/i.test(target));
}

/** The names of the headings, as GitHub makes them. */
function anchorsIn(text: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, heading] of prose(text).matchAll(/^#{1,6} +(.+?) *#*$/gm)) {
    const name = heading!.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1")
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-");
    let unique = name;
    for (let more = 1; anchors.has(unique); more++) unique = `${name}-${more}`;
    anchors.add(unique);
  }
  return anchors;
}

/** What is wrong with a link that stands in the file. */
function fault(file: string, target: string): string | undefined {
  const [path, anchor] = target.split("#") as [string, string | undefined];
  const to = path === "" ? file : normalize(join(dirname(file), path));
  if (to.startsWith("..")) return "it leaves the project";
  if (!existsSync(join(ROOT, to))) return `there is no ${to}`;
  if (anchor === undefined) return;
  if (statSync(join(ROOT, to)).isDirectory() || !to.endsWith(".md")) {
    return `${to} has no headings`;
  }
  if (!anchorsIn(read(to)).has(anchor)) return `${to} has no #${anchor}`;
}

describe("every link leads somewhere in", () => {
  for (const file of DOCUMENTS) {
    test(file, () => {
      const faults = linksIn(read(file))
        .map((target) => [target, fault(file, target)])
        .filter(([, why]) => why !== undefined);
      assertEquals(faults, []);
    });
  }
});

describe("the rules themselves", () => {
  test("see links", () => {
    assert(linksIn(read("README.md")).length > 30);
    assertEquals(
      linksIn(
        '[a](b.md) ![c](d.svg "e") [`f`](g#h)\n[i]: j\n`[k](l)`\n' +
          "```sh\n[m](n)\n```\n[o](https://p.example)",
      ),
      ["b.md", "d.svg", "g#h", "j"],
    );
  });

  test("know headings", () => {
    const text = "# A `b`, c\n## A b c\n```\n# d\n```\n## [E-f](g)";
    assertEquals([...anchorsIn(text)], ["a-b-c", "a-b-c-1", "e-f"]);
  });

  test("miss files and headings that are not there", () => {
    assertEquals(
      fault("docs/table.md", "nothing.md"),
      "there is no docs/nothing.md",
    );
    assertEquals(fault("README.md", "#no-such"), "README.md has no #no-such");
    assertEquals(fault("docs/table.md", "../README.md#runtimes"), undefined);
    assertEquals(fault("README.md", "../x"), "it leaves the project");
  });
});
