/** The units for systemd, as its own tools see them. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { assertMatch } from "@std/assert";
import { withFolder } from "./support/daemon.ts";
import { needs } from "./support/needs.ts";
import { mustRun } from "./support/run.ts";
import { ROOT } from "./support/server.ts";

const UNITS = ["tcpmux.service", "tcpmux.socket"];

/** Copies of the units whose program is one that is there. */
function withUnits(use: (files: string[]) => Promise<void>): Promise<void> {
  return withFolder(async (folder) => {
    await use(UNITS.map((name) => {
      const unit = join(ROOT, "packaging/systemd", name);
      const file = join(folder, name);
      const text = readFileSync(unit, "utf8");
      writeFileSync(
        file,
        text.replaceAll("/usr/local/bin/tcpmux", "/bin/true"),
      );
      return file;
    }));
  });
}

describe("the units of systemd", needs("systemd-analyze"), () => {
  test("hold no mistake", () =>
    withUnits(async (files) => {
      const command = ["systemd-analyze", "verify", "--man=no", ...files];
      const { stderr } = await mustRun(command);
      assertMatch(stderr, /^$/);
    }));

  test("leave the service an exposure of 2.5 at the most", () =>
    withUnits(async ([service]) => {
      const offline = ["--offline=true", "--threshold=25", "--no-pager"];
      const command = ["systemd-analyze", "security", ...offline, service!];
      const { stdout } = await mustRun(command);
      assertMatch(String(stdout), /Overall exposure level .*: [012]\.\d /);
    }));
});
