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
  "valibot": "https://valibot.dev",
  "@logtape/logtape": "https://logtape.org",
  "asn1js": "https://github.com/PeculiarVentures/ASN1.js",
  "pvtsutils": "https://github.com/PeculiarVentures/pvtsutils",
  "pvutils": "https://github.com/PeculiarVentures/pvutils",
  "tslib": "https://github.com/microsoft/tslib",
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
      section(name, home, read(`node_modules/${name}/${fileOf(name)}`))
    ),
    section(
      "Deno's standard library",
      "https://github.com/denoland/std",
      own.replace(/^Copyright .*$/m, holder!),
    ),
  ];
  return [["THIRD_PARTY.md", [INTRODUCTION, ...sections].join("\n")]];
}

function fileOf(name: string): string {
  const endings: Record<string, string> = { tslib: ".txt", valibot: ".md" };
  return `LICENSE${endings[name] ?? ""}`;
}

function section(name: string, home: string, text: string): string {
  const where = home === "" ? "" : `<${home}>\n\n`;
  return `## ${name}\n\n${where}\`\`\`text\n${text.trim()}\n\`\`\`\n`;
}

function read(file: string): string {
  return readFileSync(fileUrl(file), "utf8").replaceAll("\r\n", "\n");
}
