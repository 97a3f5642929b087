/** What docs/operations.md prints of the way from inetd, typed as it stands. */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { type Block, blocksOf } from "./support/console_blocks.ts";
import { withFolder } from "./support/daemon.ts";
import { needs, needsRoot } from "./support/needs.ts";
import { follow, freePorts, here } from "./support/reader.ts";
import { mustRun, quoted } from "./support/run.ts";
import { programUnderTest, ROOT } from "./support/server.ts";

const GUIDE = readFileSync(join(ROOT, "docs", "operations.md"), "utf8");

/** A section of it, to the next heading. */
function section(title: string): string {
  const found = new RegExp(`^## ${title}\n([^]*?)(?=^## )`, "m").exec(GUIDE);
  if (found === null) throw new Error(`operations.md has no section ${title}`);
  return found[1]!;
}

test(
  "docs/operations.md: from an old inetd.conf to a monitored service",
  { ...needs("curl", "nft", "systemd-analyze"), ...needsRoot() },
  () =>
    withFolder(async (folder) => {
      const inFolder = (...names: string[]) => join(folder, ...names);
      const units = inFolder("etc", "systemd", "system");
      for (const made of [units, inFolder("dist"), inFolder("bin")]) {
        mkdirSync(made, { recursive: true });
      }
      const program = programUnderTest().map(quoted).join(" ");
      writeFileSync(
        inFolder("dist", "tcpmux.mjs"),
        `#!/bin/sh\nexec ${program} "$@"\n`,
      );
      symlinkSync(join(ROOT, "packaging"), inFolder("packaging"));

      const instead = {
        ...await freePorts("1078", "9101"),
        "/etc/": inFolder("etc/"),
        "/usr/local/bin": inFolder("bin"),
      };
      const typed = (title: string) => blocksOf(here(section(title), instead));
      const path = typed("From an old inetd.conf to a monitored service");
      const isConf = ({ language }: Block) => language === "inetd";
      writeFileSync(
        inFolder("etc", "inetd.conf"),
        `${path.find(isConf)!.text}\n`,
      );
      // The trial goes on, in place of the server that systemd would start.
      await follow([...path, ...typed("As a service of systemd")], {
        cwd: folder,
        env: {
          PATH: `${inFolder("bin")}:${process.env.PATH}`,
          XDG_RUNTIME_DIR: folder,
        },
      });

      const unit = join(units, "tcpmux.service");
      const text = readFileSync(unit, "utf8");
      // The program is not installed where the tests run.
      writeFileSync(
        unit,
        text.replaceAll("/usr/local/bin/tcpmux", "/bin/true"),
      );
      const verify = ["systemd-analyze", "verify", "--man=no", unit];
      assertEquals((await mustRun(verify)).stderr, "");
    }),
);
