/** Real programs of inetd's kind, served to their real clients. */
import { chmodSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { assertEquals, assertRejects } from "@std/assert";
import { withFolder } from "./support/daemon.ts";
import { needs, needsRoot } from "./support/needs.ts";
import { containedStanza, PROGRAMS } from "./support/programs/all.ts";
import { PAGE, page, unformatted } from "./support/programs/page.ts";
import type { ServedProgram, Stdio } from "./support/programs/program.ts";
import { portOf, withCommand } from "./support/running.ts";
import { programHandsOver, withServer } from "./support/server.ts";
import { connectLine, connectWords } from "./support/way_in.ts";

interface Ready {
  forwards: { name: string; listen: string }[];
}

function skipped(program: ServedProgram): { skip?: string } {
  const lacking = needs(...program.needs);
  if (lacking.skip !== undefined || !program.asRoot) return lacking;
  return needsRoot();
}

/** Serves all of the programs at once, and forwards a port to each. */
function withAll(
  programs: readonly ServedProgram[],
  stdio: Stdio,
  use: (
    folder: string,
    ports: Map<string, number>,
    port: number,
  ) => Promise<void>,
): Promise<void> {
  return withFolder(async (folder) => {
    chmodSync(folder, 0o711); // some programs run as other users
    for (const program of programs) {
      mkdirSync(join(folder, program.name));
      await program.prepare(folder);
    }
    const table = programs.map((program) =>
      containedStanza(program, stdio, folder)
    );
    await withServer(table.join("\n\n"), ({ port }) => {
      const forwards = programs.map(({ name }) => `0=${name}`);
      const words = ["forward", "--json", ...forwards, `127.0.0.1:${port}`];
      return withCommand(() => words, async (command) => {
        const { forwards } = await command.ready<Ready>();
        const ports = forwards.map(({ name, listen }) =>
          [name, portOf(listen)] as const
        );
        await use(folder, new Map(ports), port);
      });
    });
  });
}

for (const stdio of ["pipe", "socket"] as const) {
  const skip = stdio === "socket" && !programHandsOver();

  describe(`stdio = ${stdio}`, { skip }, () => {
    const options = new Map(
      skip ? [] : PROGRAMS.map((program) => [program, skipped(program)]),
    );
    const served = PROGRAMS.filter((program) =>
      options.get(program)?.skip === undefined
    );
    let world: { folder: string; ports: Map<string, number>; port: number };
    let leave = () => {};
    let left: Promise<void> = Promise.resolve();

    before(() =>
      new Promise<void>((resolve, reject) => {
        left = withAll(served, stdio, (folder, ports, port) => {
          world = { folder, ports, port };
          resolve();
          return new Promise((done) => leave = done);
        });
        left.catch(reject);
      })
    );

    after(() => {
      leave();
      return left;
    });

    for (const program of PROGRAMS) {
      const { name, not } = program;
      const why = not?.[stdio];
      const use = () => {
        const { folder, ports, port } = world;
        return program.use({
          folder,
          port: ports.get(name)!,
          line: connectLine(port, name),
          words: connectWords(port, name),
        });
      };
      test(
        why === undefined ? `serves ${name}` : `cannot serve ${name}: ${why}`,
        options.get(program) ?? {},
        why === undefined ? use : async () => void await assertRejects(use),
      );
    }
  });
}

test("docs/programs.md says the same", () => {
  const now = unformatted(readFileSync(PAGE, "utf8"));
  assertEquals(
    now,
    unformatted(page()),
    "write it anew: node tests/support/programs/page.ts && deno fmt docs",
  );
});
