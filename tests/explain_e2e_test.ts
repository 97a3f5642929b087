/** explain says what the server does, and by which rule. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { assertEquals, assertMatch } from "@std/assert";
import { readInstant } from "../src/cli/explain/explain.ts";
import { exchange } from "./support/client.ts";
import { tcpmux } from "./support/command.ts";
import { withFolder } from "./support/daemon.ts";
import { withServer } from "./support/server.ts";

const TABLE = `include = ["more.d/*.toml"]
[server]
allow = ["10.0.0.0/8", "::ffff:192.0.2.0/120", "::1"]
deny = ["10.66.0.0/16"]
time_zone = "Europe/Berlin"
[services.ssh]
connect = ["127.0.0.1:22", "unix:/run/ssh"]
aliases = ["shell"]
hours = ["mon-fri 08:00-18:00"]
deny = ["any"]
allow = ["10.1.0.0/16",
  "192.0.2.7"]
rate = "5/s"
[services.hidden]
text = "x"
listed = false
`;
const MORE = `[services.off]
text = "x"
enabled = false
[services.run]
exec = ["/bin/cat", "-u"]
reply = "service"
user = "nobody"
allow = ["10.2.0.0/16"]
`;

interface Explained {
  readonly code: number | null;
  readonly rules: Readonly<Record<string, string>>;
}

describe("explain", () => {
  const explained = (words: string): Promise<Explained> =>
    withFolder(async (folder) => {
      mkdirSync(join(folder, "more.d"));
      writeFileSync(join(folder, "t.toml"), TABLE);
      writeFileSync(join(folder, "more.d/more.toml"), MORE);
      const { code, out, err } = await tcpmux(
        ["explain", "-c", "t.toml", ...words.split(" ")],
        { cwd: folder },
      );
      const rules = Object.fromEntries(
        `${out}${err}`.trimEnd().split("\n").map((line) => {
          const [, name, text] = /^(.*?) {2,}(.*)$/.exec(line) ?? [, "", line];
          return [name!, text!];
        }),
      );
      return { code, rules };
    });

  test("says whether the proxy is trusted that a client comes by", () =>
    withFolder(async (folder) => {
      const table = `[server]
trusted_proxies = ["192.0.2.1",
  "10.0.0.0/8"]
[services.web]
connect = "127.0.0.1:80"
proxy_protocol = 2
`;
      writeFileSync(join(folder, "t.toml"), table);
      const via = (address: string) =>
        tcpmux(
          ["explain", "-c", "t.toml", "web", "--from", "::1", "--via", address],
          { cwd: folder },
        );
      const trusted = await via("10.1.2.3");
      assertEquals(trusted.code, 0, trusted.err);
      assertMatch(
        trusted.out,
        /^proxy +10\.1\.2\.3 is trusted: trusted_proxies has "10\.0\.0\.0\/8" \(t\.toml:3\)$/m,
      );
      assertMatch(trusted.out, /^opens .* with a PROXY header of version 2$/m);
      const stranger = await via("198.51.100.7");
      assertEquals(stranger.code, 69);
      assertMatch(
        stranger.out,
        /^web +refused \(malformed\): the proxy is not/m,
      );
      assertMatch(stranger.out, /is not trusted: .* \(t\.toml:2\)$/m);
      assertEquals((await via("nobody")).code, 64);
    }));

  test("names the entry, the alias, the hour and what is opened", async () => {
    const { code, rules } = await explained(
      "SHELL --from 10.1.2.3 --at 2026-11-26T12:00",
    );
    assertEquals(code, 0);
    assertEquals(rules, {
      "SHELL": "served; the client reads +Go",
      "client": "10.1.2.3",
      "time": "2026-11-26T11:00:00.000Z",
      "server access": 'lets in: allow has "10.0.0.0/8" (t.toml:3)',
      "name": "shell is an alias of ssh (t.toml:6)",
      "enabled": "yes",
      "service access": 'lets in: allow has "10.1.0.0/16" (t.toml:11)',
      "hours": "open at Thu 12:00 Europe/Berlin: " +
        '["mon-fri 08:00-18:00"] (t.toml:9)',
      "limits of server":
        "max_connections = 4096, max_connections_per_source = 256",
      "limits of service": 'rate = "5/s"',
      "opens": "a connection to 127.0.0.1:22, else unix:/run/ssh",
    });
  });

  const refusals: [string, string, RegExp][] = [
    ["ssh --from 203.0.113.1", "server access", /keeps out: allow does not/],
    ["ssh --from 10.66.0.1", "server access", /keeps out: deny has "10\.66/],
    ["ssh --from 10.2.0.1", "service access", /keeps out: deny has "any"/],
    [
      "ssh --from 10.1.0.1 --at 2026-11-28T12:00",
      "hours",
      /^closed at Sat 12:00 Europe\/Berlin: /,
    ],
    ["off --from 10.1.0.1", "enabled", /^no \(more\.d\/more\.toml:3\)$/],
    ["off --from unix", "server access", /^not asked/],
    ["nope --from 10.1.0.1", "nope", /^refused \(unknown\): no service/],
  ];
  for (const [words, rule, text] of refusals) {
    test(`says why ${words} is refused`, async () => {
      const { code, rules } = await explained(words);
      assertEquals(code, 69);
      assertMatch(rules[rule]!, text);
      assertMatch(
        rules[words.split(" ")[0]!]!,
        /^refused .*; the client reads -Service not available$/,
      );
    });
  }

  test("finds the entry in other words, and in other files", async () => {
    const ssh = await explained(
      "ssh --from ::ffff:192.0.2.7 --at 2026-11-26T17:59+0100",
    );
    assertEquals(ssh.code, 0);
    assertMatch(ssh.rules["server access"]!, /allow has "::ffff:192\.0\.2\.0/);
    assertMatch(
      ssh.rules["service access"]!,
      /has "192\.0\.2\.7" \(t\.toml:12/,
    );
    const run = await explained("run --from 10.2.0.1");
    assertEquals(run.code, 0);
    assertEquals(
      run.rules["run"],
      "served; the client reads what the service replies",
    );
    assertMatch(
      run.rules["service access"]!,
      /allow has "10\.2\.0\.0\/16" \(more\.d\/more\.toml:8\)/,
    );
    assertEquals(
      run.rules["opens"],
      'the program ["/bin/cat","-u"] as nobody',
    );
  });

  test("says of HELP which services it lists, and why not the others", async () => {
    const { code, rules } = await explained(
      "help --from 10.1.0.1 --at 2026-11-26T12:00",
    );
    assertEquals(code, 0);
    const { ssh, hidden, off, run } = rules;
    assertEquals([ssh, hidden, off, run], [
      "is listed",
      "is not listed, but served: listed = false",
      "is not listed: the service off is not enabled",
      "is not listed: 10.1.0.1 is not in allow of run",
    ]);
  });

  test("refuses what is no address and no time", async () => {
    for (
      const words of [
        "ssh",
        "ssh --from host.example",
        "ssh --from ::1 --at 24:30",
        "ssh --from ::1 --at 2026-02-30",
      ]
    ) {
      const { code } = await explained(words);
      assertEquals(code, 64, words);
    }
  });

  test("refuses a table that the server refuses", () =>
    withFolder(async (folder) => {
      const tables: [string, RegExp][] = [
        [
          '[server]\nlisten = "tls://[::]:1"\n',
          /:2: server\.listen.* needs \[/,
        ],
        ['[server]\nallow_certificate = ["CN=a"]\n', /:2: .* needs a listener/],
        ['[server.first_bytes]\nSSH = "x"\n', /:2: .* no service is called/],
      ];
      for (const [text, problem] of tables) {
        writeFileSync(
          join(folder, "t.toml"),
          `${text}[services.a]\ntext = ""\n`,
        );
        const [explained, checked] = await Promise.all([
          tcpmux(["explain", "-c", "t.toml", "a", "--from", "::1"], {
            cwd: folder,
          }),
          tcpmux(["check", "-c", "t.toml"], { cwd: folder }),
        ]);
        assertEquals([explained.code, checked.code], [78, 78], explained.out);
        assertMatch(explained.err, problem);
        assertEquals(explained.err.split("\n")[0], checked.err.split("\n")[0]);
      }
    }));

  test("agrees with the server", async () => {
    const table = `[services.open]\ntext = "x"\nallow = ["127.0.0.0/8"]
[services.shut]\ntext = "x"\ndeny = ["127.0.0.1"]
[services.off]\ntext = "x"\nenabled = false
[services.never]\ntext = "x"\nhours = ["mon 00:00-00:01"]\n`;
    await withServer(table, async (server, folder) => {
      for (const name of ["open", "shut", "off", "nope", "HELP"]) {
        const answer = await exchange(server.port, `${name}\r\n`);
        const { code, out } = await tcpmux([
          ...["explain", "-c", join(folder, "services.toml")],
          ...[name, "--from", "127.0.0.1"],
        ]);
        const isServed = name === "HELP" || answer.startsWith("+");
        assertEquals(code, isServed ? 0 : 69, out);
        const line = answer.split("\r\n")[0]!;
        if (name === "HELP") assertMatch(out, /^open +is listed$/m);
        else assertEquals(out.includes(`the client reads ${line}`), true, out);
      }
    });
  });
});

test("times are those of the time zone, or of the one they name", () => {
  const now = Date.UTC(2026, 2, 28, 23, 30); // the 29th in Berlin
  const read = (text: string, zone?: string) => {
    const at = readInstant(text, zone, now);
    return at === undefined ? undefined : new Date(at).toISOString();
  };
  const berlin = (text: string) => read(text, "Europe/Berlin");
  assertEquals(berlin("01:30"), "2026-03-29T00:30:00.000Z");
  assertEquals(berlin("03:30"), "2026-03-29T01:30:00.000Z"); // summer by then
  assertEquals(read("03:30", "UTC"), "2026-03-28T03:30:00.000Z");
  assertEquals(berlin("2026-07-01"), "2026-06-30T22:00:00.000Z");
  assertEquals(berlin("2026-07-01 12:00:30"), "2026-07-01T10:00:30.000Z");
  assertEquals(berlin("2026-07-01T12:00Z"), "2026-07-01T12:00:00.000Z");
  assertEquals(berlin("2026-07-01T12:00-0330"), "2026-07-01T15:30:00.000Z");
  for (const text of ["", "3:00", "24:00", "2026-02-29", "2026-1-1", "noon"]) {
    assertEquals(berlin(text), undefined, text);
  }
});
