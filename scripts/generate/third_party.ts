/** The notices of what is in the bundle, the binaries and the npm package. */
import { readFileSync } from "node:fs";
import { fileUrl, type Generated } from "./files.ts";

const INTRODUCTION = `# Licences

tcpmux holds, or brings along, the works below. A binary also holds the runtime
that it was made with:
[Bun](https://github.com/oven-sh/bun/blob/main/LICENSE.md) or
[Deno](https://github.com/denoland/deno/blob/main/LICENSE.md).
`;

/** The packages by npm, whose text says who wrote them. */
const PACKAGES: Readonly<Record<string, string>> = {
  "zod": "https://zod.dev",
  "@logtape/logtape": "https://logtape.org",
  "asn1js": "https://asn1js.org",
  "pvtsutils": "https://github.com/PeculiarVentures/pvtsutils",
  "pvutils": "https://github.com/PeculiarVentures/pvutils",
  "tslib": "https://www.typescriptlang.org",
  "prom-client": "https://github.com/siimon/prom-client",
  "@opentelemetry/api": "https://github.com/open-telemetry/opentelemetry-js",
  "tdigest": "https://github.com/welch/tdigest",
  "bintrees": "https://github.com/vadimg/js_bintrees",
};

/** The standard library, whose package has a line in each file, and no more. */
const STD = "node_modules/deno-std/toml/mod.js";

export function thirdParty(): Generated[] {
  const own = read("LICENSE");
  const [, holder] = /^\/\/ (Copyright .*)\. MIT license\.$/m.exec(read(STD))!;
  const sections = [
    section("tcpmux", "", own),
    ...Object.entries(PACKAGES).map(([name, home]) =>
      section(name, home, licenceOf(name))
    ),
    section(
      "Deno's standard library",
      "https://github.com/denoland/std",
      own.replace(/^Copyright .*$/m, holder!),
    ),
  ];
  return [["THIRD_PARTY.md", [INTRODUCTION, ...sections].join("\n")]];
}

function section(name: string, home: string, text: string): string {
  const where = home === "" ? "" : `<${home}>\n\n`;
  return `## ${name}\n\n${where}\`\`\`text\n${text.trim()}\n\`\`\`\n`;
}

function licenceOf(name: string): string {
  const suffix = name === "tslib" ? ".txt" : "";
  const text = read(`node_modules/${name}/LICENSE${suffix}`);
  return text.replaceAll("\r\n", "\n");
}

function read(file: string): string {
  return readFileSync(fileUrl(file), "utf8");
}
