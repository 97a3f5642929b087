/** What `tcpmux export` makes, as the programs that it is for read it. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { nftablesRules } from "../src/cli/export/nftables.ts";
import { parseTable } from "../src/table/parse.ts";
import { withFolder } from "./support/daemon.ts";
import { needs, needsRoot } from "./support/needs.ts";
import { freshSeed, Random } from "./support/random.ts";
import { mustRun, type Ran, run } from "./support/run.ts";
import { programUnderTest } from "./support/server.ts";

const TABLE = `
[server]
listen = ["192.0.2.7:1", "[2001:db8::7]:1078", "unix:/run/mux.sock"]
deny = ["203.0.113.0/24"]
max_connections = 1000

[services.ssh]
connect = "127.0.0.1:22"
aliases = ["shell"]
allow = ["10.0.0.0/8", "2001:db8::/32"]

[services.pay]
connect = "127.0.0.1:5432"
allow = ["10.1.2.3/8", "192.0.2.0/24"]
deny = ["192.0.2.128/25"]

[services."odd*name"]
exec = ["/usr/sbin/sshd", "-i"]
allow = ["192.0.2.200"]

[services.off]
text = ""
enabled = false
`;

/** Runs it in a folder that has this table. */
async function exported(
  folder: string,
  words: readonly string[],
  table = TABLE,
): Promise<Ran> {
  const file = join(folder, "services.toml");
  writeFileSync(file, table);
  return await run(
    [...programUnderTest(), "export", ...words, "--config", file],
    { timeout: 60_000 },
  );
}

async function made(...args: Parameters<typeof exported>): Promise<string> {
  const ran = await exported(...args);
  assertEquals([ran.code, ran.stderr], [0, ""]);
  return String(ran.stdout);
}

describe("tcpmux export systemd", () => {
  const tables: [string, string, RegExp][] = [
    [
      "upstreams",
      TABLE.split('[services."odd')[0]!,
      /^DynamicUser=yes$/m,
    ],
    ["programs", '[services.a]\nexec = ["cat"]', /^DynamicUser=yes$/m],
    [
      "programs of other users",
      '[services.a]\nexec = ["cat"]\nuser = "nobody"',
      /^CapabilityBoundingSet=CAP_SETUID CAP_SETGID /m,
    ],
    [
      "a host name",
      '[server]\nlisten = "localhost:1"\n[services.a]\ntext = ""',
      /^CapabilityBoundingSet=CAP_NET_BIND_SERVICE$/m,
    ],
    [
      "a program of root's",
      '[services.a]\nexec = ["cat"]\nuser = "root"',
      /^# Root, with all of its rights/m,
    ],
    [
      "a user of its own",
      '[server]\nuser = "nobody"\n[services.a]\ntext = ""',
      /^CapabilityBoundingSet=CAP_SETUID CAP_SETGID /m,
    ],
    [
      "the sockets of systemd",
      '[server]\nlisten = "systemd:mux"\n[services.a]\ntext = ""',
      /^ExecStart=.* --listen systemd:mux$/m,
    ],
  ];
  for (const [what, table, expected] of tables) {
    test(
      `makes units for ${what} that systemd takes`,
      needs("systemd-analyze"),
      () =>
        withFolder(async (folder) => {
          const output = join(folder, "units");
          mkdirSync(output);
          const names = await made(
            folder,
            ["systemd", "--output", output],
            table,
          );
          const paths = names.trim().split("\n");
          const service = readFileSync(paths[0]!, "utf8");
          assertMatch(service, expected);
          assertMatch(service, new RegExp(`--config ${folder}/services.toml`));
          assertEquals(paths.length, what === "a host name" ? 1 : 2);
          // The program is not installed where the tests run.
          writeFileSync(
            paths[0]!,
            service.replaceAll("/usr/local/bin/tcpmux", "/bin/true"),
          );
          const ran = await mustRun([
            "systemd-analyze",
            "verify",
            "--man=no",
            ...paths,
          ]);
          assertEquals(ran.stderr, "");
        }),
    );
  }

  test(
    "rates well where the table has no programs",
    needs("systemd-analyze"),
    () =>
      withFolder(async (folder) => {
        const text = await made(folder, ["systemd"], tables[0]![1]);
        const file = join(folder, "tcpmux.service");
        writeFileSync(file, text.split("# tcpmux.socket\n")[0]!);
        const { stdout } = await mustRun([
          "systemd-analyze",
          "security",
          "--offline=true",
          "--threshold=25",
          file,
        ]);
        assertMatch(String(stdout), /OK/);
      }),
  );

  test("opens the addresses of the table", () =>
    withFolder(async (folder) => {
      const text = await made(folder, ["systemd"]);
      assertEquals(text.match(/^ListenStream=.*$/gm), [
        "ListenStream=192.0.2.7:1",
        "ListenStream=[2001:db8::7]:1078",
        "ListenStream=/run/mux.sock",
      ]);
    }));

  test("leaves the PROXY header to the server, which is told of it", () =>
    withFolder(async (folder) => {
      const listening = (listen: string) =>
        `[server]\nlisten = ${listen}\ntrusted_proxies = ["10.0.0.1"]\n` +
        '[services.a]\ntext = ""\n';
      const all = listening('["proxy://[::]:1", "proxy://[::]:2"]');
      const text = await made(folder, ["systemd"], all);
      assertMatch(text, /^ExecStart=.* --listen proxy:\/\/systemd:tcpmux$/m);
      // One socket unit cannot say which of its sockets have a header.
      const some = listening('["proxy://[::]:1", "[::]:2"]');
      const mixed = await made(folder, ["systemd"], some);
      assert(!/--listen|ListenStream/.test(mixed), mixed);
    }));
});

describe("tcpmux export nftables", () => {
  test("makes rules that nft takes", {
    ...needs("nft"),
    ...needsRoot(),
  }, () =>
    withFolder(async (folder) => {
      const file = join(folder, "tcpmux.nft");
      const tables = [
        TABLE,
        '[services.a]\ntext = ""\n',
        '[services.a]\ntext = ""\nallow = ["any", "10.0.0.0/8"]\ndeny = ["10.1.0.0/16", "::/0"]',
        '[services.a]\ntext = ""\nenabled = false\n',
      ];
      for (const table of tables) {
        writeFileSync(file, await made(folder, ["nftables"], table));
        await mustRun(["nft", "--check", "--file", file]);
      }
    }));

  test("looks at no packets that are a proxy's", () => {
    const table = parseTable(
      `[server]\nlisten = ["proxy://[::]:1", "[::]:2"]\n` +
        '[services.a]\ntext = ""\n',
      "f",
    );
    const rules = nftablesRules(table, { about: "" })["tcpmux.nft"];
    assertEquals(rules.match(/.*jump.*/g), [
      "\t\ttcp dport 2 jump clients",
    ]);
  });

  const seed = freshSeed();
  test(`lets in whom a service is given to, with the seed ${seed}`, () => {
    const random = new Random(seed);
    const part = () => random.pick([0, 1, 128]);
    const some = () =>
      Array.from({ length: random.below(4) }, () =>
        JSON.stringify(
          `10.${part()}.${part()}.0/${random.pick([0, 8, 16, 17, 24])}`,
        ));
    const lists = () => `allow = [${some()}]\ndeny = [${some()}]\n`;
    for (let round = 0; round < 200; round++) {
      const text = `[server]\n${lists()}[services.a]\ntext = ""\n${lists()}` +
        `[services.b]\ntext = ""\n${lists()}` +
        `[services.c]\ntext = ""\nenabled = false\n`;
      const table = parseTable(text, "table");
      const rules = nftablesRules(table, { about: "" })["tcpmux.nft"];
      for (let i = 0; i < 10; i++) {
        const address = `${random.pick([10, 11])}.${part()}.${part()}.1`;
        const isServed = table.server.access.keepsOut(address) === undefined &&
          table.services.some(({ enabled, access }) =>
            enabled && access.keepsOut(address) === undefined
          );
        assertEquals(verdict(rules, address), isServed, text + address);
      }
    }
  });
});

/** Whether the chain of clients lets an IPv4 address through. */
function verdict(rules: string, address: string): boolean {
  const chain = rules.split("chain clients {")[1]!.split("}")[0]!;
  const bits = (text: string) =>
    text.split(".").map((one) => Number(one).toString(2).padStart(8, "0"))
      .join("");
  for (const line of chain.trim().split("\n").map((one) => one.trim())) {
    if (line === "" || line.includes("ip6") || line.includes("ipv6")) continue;
    const [, prefix = "0.0.0.0", length = "0"] =
      /^ip saddr ([\d.]+)(?:\/(\d+))?/.exec(line) ?? [];
    const isMatch = bits(prefix).slice(0, Number(length)) ===
      bits(address).slice(0, Number(length));
    if (isMatch) return !line.endsWith("drop");
  }
  return true;
}

describe("tcpmux export ssh_config", () => {
  test(
    "makes blocks that ssh takes",
    needs("ssh"),
    () =>
      withFolder(async (folder) => {
        const file = join(folder, "config");
        writeFileSync(
          file,
          await made(folder, ["ssh_config", "--host", "mux.example"]),
        );
        for (const name of ["ssh.mux", "shell.mux"]) {
          const { stdout } = await mustRun(["ssh", "-G", "-F", file, name]);
          assertMatch(
            String(stdout),
            /^proxycommand tcpmux connect mux\.example:1 ssh$/m,
          );
        }
        const { stdout } = await mustRun(["ssh", "-G", "-F", file, "pay.mux"]);
        assert(!String(stdout).includes("proxycommand"));
      }),
  );

  const listens: [string, string, string][] = [
    ["tls://[::]:10001", "[::]:7", "mux.example:7"],
    ["tls://[::]:10001", "tls-or-plain://[::]:8", "mux.example:8"],
    ["proxy://[::]:9", "tls://[::]:11", "tcpmuxs://mux.example:11"],
  ];
  for (const [one, other, server] of listens) {
    test(`leads to ${server} where ${one} and ${other} listen`, () =>
      withFolder(async (folder) => {
        const table = `[server]
listen = ["${one}", "${other}"]
trusted_proxies = ["192.0.2.1"]
tls = { cert = "c.pem", key = "k.pem" }
[services.ssh]
connect = "127.0.0.1:22"
`;
        const words = ["ssh_config", "--host", "mux.example"];
        const made = await exported(folder, words, table);
        assertEquals(made.code, 0, made.stderr);
        assertMatch(
          String(made.stdout),
          new RegExp(`ProxyCommand tcpmux connect ${server} ssh$`, "m"),
        );
      }));
  }
});

describe("tcpmux export prometheus", () => {
  test(
    "makes a configuration and rules that promtool takes",
    needs("promtool"),
    () =>
      withFolder(async (folder) => {
        const words = ["prometheus", "--admin", "10.0.0.1:9101", "-o", folder];
        assertEquals(
          await made(folder, words),
          `${folder}/prometheus.yml\n${folder}/tcpmux.rules.yml\n`,
        );
        const config = join(folder, "prometheus.yml");
        const { stdout } = await mustRun([
          "promtool",
          "check",
          "config",
          config,
        ]);
        assertMatch(String(stdout), /SUCCESS: \d+ rules found/);
        assertMatch(
          readFileSync(config, "utf8"),
          /targets: \["10\.0\.0\.1:9101"\]/,
        );
        const rules = readFileSync(join(folder, "tcpmux.rules.yml"), "utf8");
        assertMatch(rules, /> 1000 \* 0\.9/);
      }),
  );
});

describe("tcpmux export", () => {
  test("takes the address of the admin listener from the table", () =>
    withFolder(async (folder) => {
      const table =
        '[server]\nadmin = "[::1]:9200"\n[services.a]\ntext = "x"\n';
      const { stdout } = await exported(folder, ["prometheus"], table);
      assertMatch(String(stdout), /targets: \["\[::1\]:9200"\]/);
    }));

  test("replaces no file", () =>
    withFolder(async (folder) => {
      const file = join(folder, "tcpmux.nft");
      writeFileSync(file, "mine");
      const ran = await exported(folder, ["nftables", "-o", folder]);
      assertEquals([ran.code, String(ran.stdout)], [74, ""]);
      assertMatch(ran.stderr, /^tcpmux: cannot write .*tcpmux\.nft/);
      assertEquals(readFileSync(file, "utf8"), "mine");
    }));

  test("fails with 78 for a table that is wrong", () =>
    withFolder(async (folder) => {
      const ran = await exported(folder, ["systemd"], "[services.a]\n");
      assertEquals([ran.code, String(ran.stdout)], [78, ""]);
    }));

  test("fails with 64 for a host that is none", () =>
    withFolder(async (folder) => {
      const ran = await exported(folder, [
        "ssh_config",
        "--host",
        "a b\nHost *",
      ]);
      assertEquals([ran.code, String(ran.stdout)], [64, ""]);
    }));
});
