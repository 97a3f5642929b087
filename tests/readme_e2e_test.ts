/** What README.md prints, typed as it stands there. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { assertEquals } from "@std/assert";
import { type Block, blocksOf } from "./support/console_blocks.ts";
import { withFolder } from "./support/daemon.ts";
import { needs } from "./support/needs.ts";
import { needsPostgres, withPostgres } from "./support/postgres.ts";
import { follow, freePorts, here, RUNTIME } from "./support/reader.ts";
import { writeRsyncConfig } from "./support/rsync.ts";
import { mustRun } from "./support/run.ts";
import { ROOT, type RunningServer, withServer } from "./support/server.ts";
import { type Sshd, withSshd } from "./support/sshd.ts";

const README = readFileSync(join(ROOT, "README.md"), "utf8");

/** A section of it, to the next heading. */
function section(title: string): string {
  const found = new RegExp(`^## ${title}\n([^]*?)(?=^## )`, "m").exec(README);
  if (found === null) throw new Error(`README.md has no section ${title}`);
  return found[1]!;
}

/** Its blocks of these languages. */
function blocks(text: string, ...languages: string[]): Block[] {
  return blocksOf(text).filter(({ language }) => languages.includes(language));
}

/** A command that stands in the text as one of ours. */
function inline(text: string, pattern: RegExp): Block {
  const [, command] = new RegExp(`\`(${pattern.source})\``).exec(text)!;
  return { language: "sh", line: 0, text: command!.replaceAll("\n", " ") };
}

describe("README.md", () => {
  // As it stands there on Deno, and elsewhere with the program under test.
  const others = RUNTIME === "deno" ? ["npx"] : [];

  test("shows a session", needs("nc", ...others), async () => {
    const instead = await freePorts("1078");
    if (RUNTIME !== "deno") {
      instead["npx -y deno run --allow-net mod.ts"] = "tcpmux";
    }
    const text = here(section("A session"), instead);
    await follow(blocksOf(text), { cwd: ROOT });
  });

  test(
    "has services of one's own",
    needs("ssh", "sshd"),
    () =>
      withSshd((sshd) =>
        withFolder(async (folder) => {
          const instead = {
            ...await freePorts("1078"),
            "127.0.0.1:22": `127.0.0.1:${sshd.port}`,
          };
          const text = here(section("Your own services"), instead);
          const [table] = blocks(text, "toml");
          writeFileSync(join(folder, "my.toml"), `${table!.text}\n`);
          await follow([
            ...blocks(text, "console", "console stays"),
            inline(text, /ssh -o Proxy[^`]*/),
          ], { cwd: folder, sshd });
        })
      ),
  );

  test(
    "has TLS",
    needs("openssl"),
    () =>
      withFolder(async (folder) => {
        const text = here(section("With TLS"), await freePorts("10001"));
        const [table] = blocks(text, "toml");
        writeFileSync(join(folder, "tls.toml"), `${table!.text}\n`);
        await follow(blocks(text, "sh", "console", "console stays"), {
          cwd: folder,
          mux: "mux.example", // which is no host here: it is a name only
        });
      }),
  );

  test(
    "reaches them by clients that know no TCPMUX",
    {
      ...needsPostgres(),
      ...needs("curl", "git", "nc", "rsync", "ssh", "sshd"),
    },
    () =>
      withServices(async (server, sshd, folder) => {
        const instead = await freePorts("1080", "5432", "8080");
        const text = here(
          section("Clients that do not know TCPMUX"),
          instead,
        );
        const [commands] = blocks(text, "sh");
        const probe = inline(text, /tcpmux probe [^`]*/);
        const env = {
          PGPORT: instead["5432"]!,
          PGUSER: "tester",
          PGDATABASE: "postgres",
        };
        const mux = `127.0.0.1:${server.port}`;
        await follow([commands!, probe], { cwd: folder, sshd, mux, env });
        for (const name of ["ssh", "git", "rsync", "postgres", "wiki"]) {
          assertEquals((await server.record(name)).outcome, "served", name);
        }
        const read = (file: string) => readFileSync(join(folder, file), "utf8");
        assertEquals(read("hello"), "by rsync\n");
        const log = ["git", "-C", join(folder, "project"), "log"];
        const { stdout } = await mustRun([...log, "--format=%s"]);
        assertEquals(String(stdout), "by git\n");
      }),
  );
});

/** Runs `use` with a server of all that the section speaks of. */
function withServices(
  use: (server: RunningServer, sshd: Sshd, folder: string) => Promise<void>,
): Promise<void> {
  return withFolder((folder) =>
    withSshd((sshd) =>
      withPostgres((postgres) =>
        withWiki(async (wiki) => {
          const own = join(folder, "served");
          await prepare(own);
          const table = `
[services.ssh]
connect = "127.0.0.1:${sshd.port}"
[services.git]
exec = ["git", "daemon", "--inetd", "--export-all", "--base-path=${own}"]
[services.rsync]
exec = ["rsync", "--daemon", "--config=${own}/rsyncd.conf"]
[services.postgres]
connect = "unix:${postgres.socket}"
[services.wiki]
connect = "127.0.0.1:${wiki}"
`;
          const reader = join(folder, "reader");
          mkdirSync(reader);
          await withServer(table, (server) => use(server, sshd, reader));
        })
      )
    )
  );
}

/** Writes a repository and a module of rsync to fetch from. */
async function prepare(folder: string): Promise<void> {
  const [project, files] = [join(folder, "project"), join(folder, "files")];
  mkdirSync(files, { recursive: true });
  writeFileSync(join(files, "hello"), "by rsync\n");
  const config = join(folder, "rsyncd.conf");
  writeRsyncConfig(config, files, [], "files");
  const who = ["-c", "user.name=t", "-c", "user.email=t@tcpmux.test"];
  const commit = ["commit", "-q", "--allow-empty", "-m", "by git"];
  await mustRun(["git", "init", "-q", project]);
  await mustRun(["git", "-C", project, ...who, ...commit]);
}

/** Runs `use` with the port of a web server. */
async function withWiki(use: (port: number) => Promise<void>): Promise<void> {
  const wiki = createServer((_, response) => response.end("The wiki\n"));
  await new Promise<void>((resolve) => wiki.listen(0, "127.0.0.1", resolve));
  try {
    await use((wiki.address() as AddressInfo).port);
  } finally {
    wiki.close();
  }
}
