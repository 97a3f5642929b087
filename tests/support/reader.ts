/** The machine of a reader who types what a document prints. */
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { type Block, Terminals } from "./console_blocks.ts";
import { freePort, withFolder } from "./daemon.ts";
import { findProgram } from "./needs.ts";
import { quoted } from "./run.ts";
import { programUnderTest } from "./server.ts";
import type { Sshd } from "./sshd.ts";

/** What this very runtime is called by who types it. */
export const RUNTIME = "Deno" in globalThis
  ? "deno"
  : "Bun" in globalThis
  ? "bun"
  : "node";

/** Words of a document, and what they are on this machine. */
export type Instead = Record<string, string>;

/** A free port for each of the document's. */
export async function freePorts(...printed: string[]): Promise<Instead> {
  const pairs = printed.map(async (port) => [port, String(await freePort())]);
  return Object.fromEntries(await Promise.all(pairs));
}

/** The text with all that is called otherwise here. */
export function here(text: string, instead: Instead): string {
  const words = Object.keys(instead)
    .map((word) => word.replaceAll(/[^\w:]/g, "\\$&")).join("|");
  // Not a part of another number.
  const pattern = new RegExp(`(?<!\\d)(${words})(?!\\d)`, "g");
  return text.replaceAll(pattern, (word) => instead[word]!);
}

export interface Machine {
  /** Where the reader types. */
  readonly cwd: string;
  /** Where ssh may log in. */
  readonly sshd?: Sshd;
  /** What tcpmux reaches by the name `mux.example`. */
  readonly mux?: string;
  readonly env?: Record<string, string>;
}

/** Types the blocks, each into a terminal of its own. */
export function follow(
  blocks: readonly Block[],
  { cwd, sshd, mux = "", env }: Machine,
): Promise<void> {
  return withFolder(async (folder) => {
    const bin = join(folder, "bin");
    mkdirSync(bin);
    symlinkSync(process.execPath, join(bin, RUNTIME));
    const script = (name: string, text: string) => {
      writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`);
      chmodSync(join(bin, name), 0o755);
    };
    // It stands for a name server, and for port 1.
    const named = `for word; do
  shift
  [ "$word" = mux.example ] && word=${mux}
  set -- "$@" "$word"
done`;
    const program = programUnderTest().map(quoted).join(" ");
    script("tcpmux", `${named}\nexec ${program} "$@"`);
    if (sshd !== undefined) {
      // What else stands in ~/.ssh: a key, and the key of the host.
      const options = [...sshd.options(), "-o", "HostKeyAlias=tcpmux.test"];
      const ssh = [findProgram("ssh")!, ...options].map(quoted).join(" ");
      script("ssh", `exec ${ssh} "$@"`);
    }
    const file = (name: string, text: string) => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    };
    const git = "[user]\nname = t\nemail = t@tcpmux.test\n";
    file(".curlrc", "silent\nshow-error\n"); // as it is on a terminal
    const terminals = new Terminals(folder, cwd, {
      PATH: `${bin}:${process.env.PATH}`,
      GIT_CONFIG_GLOBAL: file("gitconfig", git),
      GIT_CONFIG_NOSYSTEM: "1",
      CURL_HOME: folder,
      ...{ http_proxy: "", all_proxy: "", no_proxy: "" },
      ...{ ALL_PROXY: "", NO_PROXY: "" },
      ...env,
    });
    try {
      await terminals.type(blocks);
    } finally {
      await terminals.close();
    }
  });
}
