/** Every example, by what its own README prints. */
import {
  chmodSync,
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { tcpmux } from "./support/command.ts";
import { blocksOf } from "./support/console_blocks.ts";
import { needsInetutils, withInetdConf } from "./support/inetutils.ts";
import { needs, needsRoot } from "./support/needs.ts";
import { needsPostgres, withPostgres } from "./support/postgres.ts";
import {
  follow,
  freePorts,
  here,
  type Instead,
  type Machine,
  RUNTIME,
} from "./support/reader.ts";
import { withRedis } from "./support/redis.ts";
import { ROOT, withServer } from "./support/server.ts";
import { withSshd } from "./support/sshd.ts";

const EXAMPLES = join(ROOT, "examples");

/** They take what is in the clone: the library, or packages. */
const IN_CLONE = ["chat", "hono", "mcp"];

/** Follows the README in a copy of its folder, with ports of its own. */
async function example(
  name: string,
  { instead = {}, ...machine }: Omit<Machine, "cwd"> & { instead?: Instead } =
    {},
): Promise<void> {
  const parent = IN_CLONE.includes(name) ? join(ROOT, "tests") : tmpdir();
  const folder = mkdtempSync(join(parent, "tmp-example-"));
  try {
    chmodSync(folder, 0o755); // some programs become another user
    cpSync(join(EXAMPLES, name), folder, { recursive: true });
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (entry.isDirectory()) continue;
      const file = join(folder, entry.name);
      writeFileSync(file, here(readFileSync(file, "utf8"), instead));
    }
    const readme = readFileSync(join(folder, "README.md"), "utf8");
    await follow(blocksOf(onThisRuntime(readme)), { cwd: folder, ...machine });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A README that starts a file by Node says how other runtimes do. */
function onThisRuntime(readme: string): string {
  const [, byNode] = /^\$ (node \w+\.ts)$/m.exec(readme) ?? [];
  if (byNode === undefined || RUNTIME === "node") return readme;
  const [, said] = new RegExp(`\`(${RUNTIME}\\s[^\`]*)\``).exec(readme)!;
  return readme.replace(`$ ${byNode}`, `$ ${said!.replaceAll("\n", " ")}`);
}

describe("the README of the example", () => {
  test("chat", async () => {
    await example("chat", { instead: await freePorts("1078") });
  });

  test("shell", needs("nc"), async () => {
    await example("shell", { instead: await freePorts("1078") });
  });

  test(
    "by-name",
    needs("git", "rsync", "ssh", "sshd"),
    () =>
      withSshd(async (sshd) => {
        const instead = {
          ...await freePorts("1078"),
          "127.0.0.1:22": `127.0.0.1:${sshd.port}`,
        };
        await example("by-name", { instead, sshd });
      }),
  );

  test(
    "databases",
    { ...needsPostgres(), ...needs("redis-server", "redis-cli") },
    () =>
      withPostgres((postgres) =>
        withRedis(async (redis) => {
          const local = ["15432", "16379", "25432", "26379"];
          const instead = {
            ...await freePorts("1078", ...local),
            "5432": String(postgres.port),
            "6379": String(redis.port),
          };
          const env = { PGUSER: "tester", PGDATABASE: "postgres" };
          await example("databases", { instead, env });
        })
      ),
  );

  test("mcp", needs("node"), async () => {
    await example("mcp", { instead: await freePorts("1078") });
  });

  test("inetd", needsRoot(), async () => {
    await example("inetd", { instead: await freePorts("1078") });
  });

  test("hono", needs("curl"), async () => {
    const instead = await freePorts("1078", "1080", "8080");
    await example("hono", { instead });
  });
});

test("every folder of examples is in the table of README.md, and is run", () => {
  const readme = readFileSync(join(ROOT, "README.md"), "utf8");
  const run = readFileSync(join(ROOT, "tests/examples_e2e_test.ts"), "utf8");
  for (const name of readdirSync(EXAMPLES)) {
    assert(readme.includes(`| [${name}](examples/${name}/) `), name);
    assert(run.includes(`example("${name}"`), name);
  }
});

describe("the inetd.conf that is replaced", () => {
  const folder = join(EXAMPLES, "inetd");
  const conf = readFileSync(join(folder, "inetd.conf"), "utf8");
  const table = readFileSync(join(folder, "services.toml"), "utf8");
  const entries = conf.split("\n").filter((line) => /^[^#]/.test(line));

  test("stands in services.toml, line by line", () => {
    const replaced = table.split("\n")
      .map((line) => line.replace(/^# /, ""))
      .filter((line) => entries.includes(line));
    assertEquals(replaced.toSorted(), entries.toSorted());
  });

  test(
    "gives the same when inetd has it",
    needsInetutils(),
    () =>
      withInetdConf(conf, ({ host, address }) => {
        return withServer(
          table.replace(/^listen.*$/m, ""),
          async ({ port }) => {
            const by = async (server: string, service: string) => {
              const ran = await tcpmux(["connect", server, service]);
              return [ran.code, ran.out, ran.err];
            };
            for (const name of ["system", "whoami"]) {
              const ours = await by(`127.0.0.1:${port}`, name);
              assertEquals(await by(address, name), ours);
              assertEquals(ours[0], 0);
            }
            const heading = (text: string) => text.split("\n")[0]!;
            const [, systat] = await by(`127.0.0.1:${port}`, "systat");
            assertEquals(heading(await all(host, 11)), heading(String(systat)));
            assertEquals(await all(host, 7, "hello"), "hello");
          },
        );
      }),
  );
});

/** All that a service of inetd's sends at a port of its own. */
function all(host: string, port: number, sent = ""): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = "";
    connect({ host, port, allowHalfOpen: true })
      .on("data", (bytes) => said += bytes)
      .on("end", () => resolve(said))
      .on("error", reject)
      .end(sent);
  });
}
