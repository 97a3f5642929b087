/**
 * Every configuration of tests/imports becomes the report and the table of its
 * `.expected`. TCPMUX_TEST_WRITE=1 writes these anew, to be read.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { describe, test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { HostsAccess } from "../src/cli/import/hosts_access.ts";
import { dialectOf, importTable } from "../src/cli/import/import_table.ts";
import { Report } from "../src/cli/import/report.ts";
import type { Files, Source } from "../src/cli/import/sources.ts";
import type { DialectName } from "../src/cli/spec/makers.ts";
import { parseTable } from "../src/table/parse.ts";
import { ROOT } from "./support/server.ts";

const FOLDER = join(ROOT, "tests", "imports");

/** The files of tests/imports, as if they stood in /etc. */
const FILES: Files = {
  read(path) {
    if (path === "/etc/services") return "ssh 22/tcp\npostgres 5432/tcp pg\n";
    try {
      return readFileSync(inFolder(path), "utf8");
    } catch {
      return undefined;
    }
  },
  names(folder) {
    try {
      return readdirSync(inFolder(folder)).toSorted();
    } catch {
      return undefined;
    }
  },
};

function inFolder(path: string): string {
  assertMatch(path, /^\/etc(\/|$)/);
  return join(FOLDER, path.slice("/etc".length));
}

function source(file: string): Source {
  return { file, text: FILES.read(file)! };
}

interface Made {
  readonly report: string;
  readonly table: string;
}

function made(
  sources: readonly Source[],
  dialect: DialectName,
  { hosts = new HostsAccess(undefined, undefined), user = "", sockets = true } =
    {},
): Made {
  const report = new Report();
  const context = { files: FILES, report, hosts, user };
  const table = importTable(sources, dialect, sockets, context);
  table.report();
  return { report: String(report), table: table.text() };
}

/** What an entry of this dialect becomes. */
function of(dialect: DialectName, text: string, options = {}): Made {
  return made([{ file: "/etc/a.conf", text }], dialect, options);
}

const HOSTS = new HostsAccess(
  source("/etc/hosts.allow"),
  source("/etc/hosts.deny"),
);

const SAMPLES: readonly [string, DialectName][] = [
  ["xinetd.conf", "xinetd"],
  ["freebsd.conf", "inetd-freebsd"],
  ["netbsd.conf", "inetd-netbsd"],
  ["gnu.conf", "inetd-gnu"],
  ["tcpmux.cf", "tcpmux.cf"],
  ["tcpmuxa.conf", "tcpmuxa"],
  ["sslh.cfg", "sslh"],
  ["haproxy.cfg", "haproxy"],
];

describe("import makes what is expected of", () => {
  for (const [name, dialect] of SAMPLES) {
    test(name, () => {
      const file = source(join("/etc", name));
      assertEquals(dialectOf(file), dialect);
      const hosts = name === "xinetd.conf" ? HOSTS : undefined;
      const { report, table } = made([file], dialect, hosts && { hosts });
      const found = `${report}\n${table}`;
      const expected = join(FOLDER, `${name}.expected`);
      if (process.env.TCPMUX_TEST_WRITE === "1") writeFileSync(expected, found);
      assertEquals(found, readFileSync(expected, "utf8"));
      assert(parseTable(table, name).services.length > 1);
    });
  }
});

/** What the table says of one service, without its comments. */
function entry(table: string, name: string): string {
  const [, text = ""] = table.split(`\n[services.${name}]\n`);
  return text.split("\n\n")[0]!.trim();
}

const TCPMUX = "tcpmux stream tcp nowait root internal\n";

/** An xinetd with one service of TCPMUX that has these lines too. */
function xinetd(
  lines: readonly string[],
  defaults = "",
  listener = "",
): string {
  const common =
    "socket_type = stream\nprotocol = tcp\nwait = no\nuser = nobody";
  return `defaults\n{\n${defaults}\n}\nservice tcpmux\n{\ntype = INTERNAL\n` +
    `${common}\n${listener}\n}\nservice a\n{\ntype = TCPMUXPLUS UNLISTED\n` +
    `${common}\nserver = /bin/cat\n${lines.join("\n")}\n}\n`;
}

describe("import never opens", () => {
  const closed: [string, readonly string[], string?, string?][] = [
    ["what is disabled", ["disable = yes"]],
    ["what defaults disable", [], "disabled = b a"],
    ["what defaults do not enable", [], "enabled = tcpmux b"],
    ["what has no listener", [], "", "disable = yes"],
    ["a listener that defaults do not enable", [], "enabled = a"],
    ["a listener on another port without UNLISTED", [], "", "port = 999"],
    ["an empty only_from", ["only_from ="]],
    ["an empty only_from of defaults", [], "only_from ="],
    ["an only_from by name", ["only_from = host.example"]],
    ["an only_from by netmask", ["only_from = 127.0.0.0/255.0.0.0"]],
    ["an only_from that takes out a part", [
      "only_from = 10.0.0.0",
      "only_from -= 10.0.0.1",
    ]],
    ["a no_access by name", ["no_access = .example"]],
    ["a no_access by name of defaults", [], "no_access = host.example"],
    ["only_from and no_access of the same", [
      "only_from = 10.0.0.1",
      "no_access = 10.0.0.0",
    ]],
    ["access_times that cannot be read", ["access_times = noon"]],
    [
      "access_times that never meet the listener's",
      [
        "access_times = 08:00-09:00",
      ],
      "",
      "access_times = 10:00-11:00",
    ],
    ["instances = 0", ["instances = 0"]],
    ["a flag that xinetd has not", ["flags = OPEN"]],
    ["a label", ["flags = LABELED"]],
    ["a line without blanks", ["only_from=10.0.0.1"]],
    ["a limit that cannot be read", ["rlimit_as = much"]],
  ];
  for (const [what, lines, defaults, listener] of closed) {
    test(what, () => {
      const { table, report } = of("xinetd", xinetd(lines, defaults, listener));
      assertMatch(entry(table, "a"), /^enabled = false$/m, report);
      assertMatch(report, /changed: a: closed: /);
      assert(parseTable(table, "a").services.every(({ enabled }) => !enabled));
    });
  }

  test("what is open without these", () => {
    const { table, report } = of("xinetd", xinetd([]));
    assertMatch(report, /kept: a: \/bin\/cat$/m);
    assert(!entry(table, "a").includes("enabled"));
  });

  test("a service whose defaults may be in a file that is missing", () => {
    const [, text] = xinetd([]).split("}\n", 2);
    const file = `include /etc/defaults\n${xinetd([]).replace(/^.*?}\n/s, "")}`;
    assert(text !== undefined);
    const { table } = of("xinetd", file);
    assertMatch(entry(table, "a"), /^enabled = false$/m);
  });

  test("BSD's services without an entry tcpmux, which GNU's do not need", () => {
    const text = "tcpmux/+a stream tcp nowait nobody /bin/cat cat\n";
    for (const bsd of ["inetd-freebsd", "inetd-netbsd"] as const) {
      assertMatch(entry(of(bsd, text).table, "a"), /^enabled = false$/m);
    }
    assert(!entry(of("inetd-gnu", text).table, "a").includes("enabled"));
  });

  test("a listener of IPv6 alone for IPv4", () => {
    const text = `${TCPMUX.replace("tcp ", "tcp6 ")}` +
      "tcpmux/+a stream tcp nowait nobody /bin/cat cat\n";
    const { table } = of("inetd-freebsd", text);
    assertMatch(
      table,
      /^listen = \["\[::\]:1"\]\ndeny = \["0\.0\.0\.0\/0"\]$/m,
    );
    assert(!of("inetd-gnu", text).table.includes("deny"));
  });

  test("what had a port of its own, whoever else has the name", () => {
    const port = "a stream tcp nowait root /bin/other other\n";
    const mux = "tcpmux/+a stream tcp nowait nobody /bin/cat cat\n";
    assertMatch(
      entry(of("inetd-gnu", TCPMUX + port).table, "a"),
      /^enabled = false$/m,
    );
    for (const text of [TCPMUX + port + mux, TCPMUX + mux + port]) {
      assertMatch(
        entry(of("inetd-gnu", text).table, "a"),
        /^exec = \["\/bin\/cat"\]/,
      );
    }
  });

  test("what listened on an address of this machine alone", () => {
    const inetd = (spec: string) =>
      `${TCPMUX}${spec} stream tcp nowait nobody /bin/cat cat\n`;
    const port = (lines: string, defaults = "") =>
      `${xinetd([], defaults)}service b\n{\nsocket_type = stream\n` +
      `wait = no\nuser = nobody\nserver = /bin/cat\n${lines}\n}\n`;
    const frontend = "defaults\n mode tcp\nfrontend a\n bind :1\n" +
      " default_backend s\nfrontend b\n bind 127.0.0.1:2\n" +
      " default_backend s\n disabled\nbackend s\n server s 10.0.0.1:22\n";
    const loopback = /^allow = \["127\.0\.0\.0\/8", "::1"\]$/m;
    const rows: [DialectName, string, RegExp][] = [
      ["xinetd", port("bind = 127.0.0.1"), loopback],
      ["xinetd", port("interface = ::1"), loopback],
      ["xinetd", port("", "bind = localhost"), loopback],
      ["xinetd", port("interface = 127.0.0.1", "bind = 10.0.0.1"), loopback],
      [
        "xinetd",
        port("bind = 127.0.0.1\nonly_from = 127.0.0.2 10.0.0.0"),
        /^allow = \["127\.0\.0\.2"\]$/m,
      ],
      [
        "xinetd",
        port("bind = 127.0.0.1\nno_access = 127.0.0.2"),
        /"::1"\]\ndeny = \["127\.0\.0\.2"\]$/m,
      ],
      [
        "xinetd",
        port("bind = 127.0.0.1\nonly_from = 10.0.0.0"),
        /^deny = \["any"\]$/m,
      ],
      ["inetd-gnu", inetd("127.0.0.1:b"), loopback],
      ["inetd-gnu", inetd("127.0.0.1,localhost:b"), loopback],
      ["inetd-netbsd", inetd("[::1]:b"), loopback],
      ["inetd-netbsd", `127.0.0.1:\n${inetd("b")}`, loopback],
      [
        "inetd-netbsd",
        "b on bind = 127.0.0.1, socktype = stream, wait = no, " +
        "user = nobody, exec = /bin/cat;\n",
        loopback,
      ],
      ["haproxy", frontend, loopback],
    ];
    for (const [dialect, text, expected] of rows) {
      const { table, report } = of(dialect, text);
      assertMatch(entry(table, "b"), /^enabled = false$/m, text);
      assertMatch(entry(table, "b"), expected, text);
      assertMatch(report, /b: .*it listened on \S+( and \S+)? alone/, text);
      assert(parseTable(table, "b").services.length > 0);
    }
  });

  test("what listened on other addresses without a word", () => {
    const text = (spec: string) =>
      `${TCPMUX}${spec} stream tcp nowait nobody /bin/cat cat\n`;
    const told = of("inetd-gnu", text("10.0.0.1,127.0.0.1:b"));
    const line =
      /changed: b: it listened on 10\.0\.0\.1 and 127\.0\.0\.1 alone, .* allow /;
    assertMatch(told.report, line);
    assertMatch(told.table, /^# it listened on 10\.0\.0\.1 and /m);
    assert(!entry(told.table, "b").includes("allow"));
    for (const spec of ["b", "*:b", "0.0.0.0:b", "[::]:b"]) {
      const { report } = of("inetd-gnu", text(spec));
      assert(!report.includes("listened"), report);
    }
    const named = of("xinetd", xinetd(["bind = 127.0.0.1"]));
    assertMatch(named.report, /dropped: a: bind has no effect under TCPMUX$/m);
    assertMatch(named.report, /kept: a: \/bin\/cat$/m);
  });

  test("what hosts.deny keeps out, or may keep out", () => {
    const text =
      `${TCPMUX}tcpmux/+a stream tcp nowait nobody /usr/sbin/tcpd /bin/cat\n`;
    const rows: [string, string, RegExp][] = [
      ["", "ALL: ALL", /^enabled = false$/m],
      ["", "cat: .example", /^enabled = false$/m],
      ["", "ALL EXCEPT sshd: ALL", /^enabled = false$/m],
      ["cat: 10.", "ALL: ALL", /^allow = \["10\.0\.0\.0\/8"\]$/m],
      ["cat: host.example", "ALL: ALL", /^enabled = false$/m],
      ["cat: ALL: twist /bin/echo no", "ALL: ALL", /^enabled = false$/m],
      ["cat: 10.0.0.0/255.0.0.0 : deny", "", /^deny = \["10\.0\.0\.0\/8"\]$/m],
      [
        "cat: 10.1.",
        "cat: 10.",
        /^allow = \["any", "10\.1\.0\.0\/16"\]\ndeny = \["10\.0\.0\.0\/8"\]$/m,
      ],
      [
        "",
        "sshd: ALL",
        /^exec = \["\/bin\/cat"\]\nstdio = "socket"\nuser = "nobody"$/,
      ],
    ];
    for (const [allow, deny, expected] of rows) {
      const hosts = new HostsAccess(
        { file: "allow", text: allow },
        { file: "deny", text: deny },
      );
      const { table } = of("inetd-gnu", text, { hosts });
      assertMatch(entry(table, "a"), expected, `${allow} ${deny}`);
    }
  });
});

describe("import", () => {
  test("gives programs no socket where the runtime cannot hand it over", () => {
    const text = `${TCPMUX}tcpmux/+a stream tcp nowait nobody /bin/cat cat\n`;
    const { table } = of("inetd-gnu", text, { sockets: false });
    assert(!entry(table, "a").includes("stdio"));
  });

  test("runs programs of tcpmux.cf as --user says", () => {
    const { table } = of("tcpmux.cf", "+a /bin/cat\n", { user: "games" });
    assertMatch(entry(table, "a"), /^user = "games"$/m);
  });

  test("keeps comments and texts within their lines, whatever they hold", () => {
    const text =
      `+a\u2028b /bin/cat\n+c /bin/\u0007\u007f"\\\ud800 x\u001b[31m\n`;
    const { table, report } = of("tcpmux.cf", text);
    assert(!/[^\P{Cc}\n]|\p{Zl}/u.test(table + report));
    assert(parseTable(table, "a").services.length === 1);
  });

  test("takes no file that is no text", () => {
    const { report } = of("tcpmux.cf", "+a /bin/cat\n\0");
    assertEquals(
      report,
      "/etc/a.conf:2: dropped: it is no text: there is a NUL byte\n",
    );
  });

  test("takes words in quotes as each inetd does", () => {
    const line = (args: string) =>
      `${TCPMUX}tcpmux/+a stream tcp nowait nobody /a a ${args}\n`;
    const rows: [DialectName, string, string][] = [
      ["inetd-freebsd", `'a b' "c d" e'f`, `"a b", "c d", "e'f"`],
      ["inetd-freebsd", `'a b'c 'd e`, `"a b", "c", "d e"`],
      ["inetd-gnu", `'a b' "c d" e'f`, `"a b", "c d", "e'f"`],
      ["inetd-gnu", `a"b c"d 'e f`, `"a", "b c", "d", "'e f"`],
      ["inetd-netbsd", `'a b' "c d"`, `"a b", "c d"`],
    ];
    for (const [dialect, args, words] of rows) {
      const { table } = of(dialect, line(args));
      assertMatch(table, new RegExp(`^exec = \\["/a", ${words}\\]$`, "m"));
    }
  });

  test("knows the dialect of a file", () => {
    const rows: [string, DialectName | undefined][] = [
      ["tcpmux/+a stream tcp nowait/3 root /a a", "inetd-freebsd"],
      ["tcpmux/+a stream tcp nowait root:wheel/daemon /a a", "inetd-freebsd"],
      ["a stream tcp nowait root /a a", "inetd-freebsd"],
      ["a stream tcp nowait root.wheel /a a", "inetd-gnu"],
      ["a stream tcp nowait.30 root /a a", "inetd-gnu"],
      ["127.0.0.1:a stream tcp nowait root /a a", "inetd-gnu"],
      ["a stream:accf tcp nowait root /a a", "inetd-netbsd"],
      ["a stream tcp,sndbuf=8k nowait root /a a", "inetd-netbsd"],
      ['.include "x"\n', "inetd-netbsd"],
      ["a on socktype = stream;", "inetd-netbsd"],
      ["defaults\n{\n}\n", "xinetd"],
      ["includedir /etc/xinetd.d", "xinetd"],
      ["defaults\n mode tcp\nfrontend a\n bind :1", "haproxy"],
      ["protocols: ( );", "sslh"],
      ["+a /bin/cat", "tcpmux.cf"],
      ["a net localhost 22", "tcpmuxa"],
      ["$port=3", "tcpmuxa"],
      ["# nothing\n", undefined],
      ["hello world\n", undefined],
    ];
    for (const [text, dialect] of rows) {
      assertEquals(dialectOf({ file: "a", text }), dialect, text);
    }
  });
});
