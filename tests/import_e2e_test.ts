/** `tcpmux import`, and its tables beside the servers that they come from. */
import { readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { freePort, withFolder } from "./support/daemon.ts";
import { needsInetutils, withInetdConf } from "./support/inetutils.ts";
import { needs, needsRoot } from "./support/needs.ts";
import { type Ran, run } from "./support/run.ts";
import {
  programHandsOver,
  programUnderTest,
  ROOT,
  withServer,
} from "./support/server.ts";
import { withXinetdFile } from "./support/xinetd.ts";

function tcpmux(words: string[], input?: string): Promise<Ran> {
  return run([...programUnderTest(), ...words], { input, timeout: 60_000 });
}

async function imported(words: string[], input?: string): Promise<string> {
  return await withFolder(async (folder) => {
    const none = join(folder, "none");
    writeFileSync(none, "");
    const ran = await tcpmux([
      "import",
      ...words,
      "--hosts-allow",
      none,
      "--hosts-deny",
      none,
    ], input);
    assertEquals(ran.code, 0, ran.stderr);
    return String(ran.stdout);
  });
}

/** All that a server says to one client, until it ends. */
function said(
  host: string,
  port: number,
  from: string,
  request: string,
): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    let isConnected = false;
    const socket = connect({ host, port, localAddress: from });
    socket.setTimeout(30_000, () => socket.destroy(new Error("it is silent")));
    socket.on("data", (bytes) => text += bytes.toString("latin1"));
    socket.once("connect", () => {
      isConnected = true;
      socket.write(request);
    });
    socket.once("error", (error: NodeJS.ErrnoException) => {
      // xinetd refuses by a reset, if there is something that it has not read.
      if (isConnected && error.code === "ECONNRESET") resolve(text);
      else reject(error);
    });
    socket.once("close", () => resolve(text));
  });
}

/** What a client makes of it: refusals differ in their words. */
function outcome(text: string): string {
  if (!text.startsWith("+")) return "refused";
  // xinetd sends a NUL behind its own reply.
  return text.replace(/^([^\r\n]*\r\n)\0/, "$1");
}

interface Question {
  readonly name: string;
  readonly from?: string;
}

async function outcomes(
  host: string,
  port: number,
  questions: readonly Question[],
): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const { name, from = "127.0.0.1" } of questions) {
    const text = await said(host, port, from, `${name}\r\n`);
    found[`${name} from ${from}`] = outcome(text);
  }
  return found;
}

function xinetdEntry(
  name: string,
  lines: readonly string[],
  type = "TCPMUXPLUS UNLISTED",
): string {
  const common = ["socket_type = stream", "protocol = tcp", "wait = no"];
  return `service ${name}\n{\n type = ${type}\n ${
    [...common, ...lines].join("\n ")
  }\n}\n`;
}

const AS_NOBODY = "user = nobody";

/** Entries of xinetd, and who is to ask for them. */
const XINETD_ENTRIES: readonly [string, readonly string[], string?][] = [
  ["whoami", [AS_NOBODY, "server = /usr/bin/id", "server_args = -un"]],
  ["group", [
    AS_NOBODY,
    "group = games",
    "server = /usr/bin/id",
    "server_args = -gn",
  ]],
  ["words", [AS_NOBODY, "server = /usr/bin/printf", "server_args = %s,%s # a"]],
  ["mask", [
    AS_NOBODY,
    "umask = 037",
    "server = /bin/sh",
    "server_args = -c umask",
  ]],
  ["nice", ["user = games", "nice = 7", "server = /usr/bin/nice"]],
  ["variable", [
    AS_NOBODY,
    "env = MARK=a=b",
    "server = /usr/bin/printenv",
    "server_args = MARK",
  ]],
  ["argv", [
    AS_NOBODY,
    "flags = NAMEINARGS",
    "server = /usr/bin/printf",
    "server_args = printf %s-%s one two",
  ]],
  ["own", [
    AS_NOBODY,
    "server = /usr/bin/printf",
    "server_args = +mine\\r\\nhello",
  ], "TCPMUX UNLISTED"],
  ["one", [AS_NOBODY, "server = /usr/bin/id", "only_from = 127.0.0.2"]],
  ["but", [AS_NOBODY, "server = /usr/bin/id", "no_access = 127.0.0.2"]],
  ["net", [AS_NOBODY, "server = /usr/bin/id", "only_from = 127.0.0.0/31"]],
  ["both", [
    AS_NOBODY,
    "server = /usr/bin/id",
    "only_from = 127.0.0.1",
    "no_access = 127.0.0.0",
  ]],
  ["some", [
    AS_NOBODY,
    "server = /usr/bin/id",
    "only_from = 127.0.0.{2,9} no.such.invalid",
  ]],
  ["less", [
    AS_NOBODY,
    "server = /usr/bin/id",
    "only_from = 127.0.0.1 127.0.0.2",
    "only_from -= 127.0.0.1",
  ]],
  ["none", [AS_NOBODY, "server = /usr/bin/id", "only_from ="]],
  ["host", [AS_NOBODY, "server = /usr/bin/id", "only_from = no.such.invalid"]],
  ["off", [AS_NOBODY, "server = /usr/bin/id", "disable = yes"]],
  ["listed", [AS_NOBODY, "server = /usr/bin/id"]],
  ["userless", ["server = /usr/bin/id"]],
  ["stranger", ["user = nosuchuser", "server = /usr/bin/id"]],
  ["sample", [AS_NOBODY, "server = /usr/bin/id"], "TCPMUXPLUS"],
  ["missing", [AS_NOBODY, "server = /no/such/program"]],
  ["badnice", [AS_NOBODY, "nice = much", "server = /usr/bin/id"]],
];

describe("xinetd and the table that import makes", {
  ...needs("xinetd"),
  ...needsRoot(),
}, () => {
  test("answer the same clients with the same bytes", () =>
    withFolder(async (folder) => {
      const port = await freePort();
      const entries = [
        "defaults\n{\n disabled = listed\n}\n",
        xinetdEntry("tcpmux", [
          "user = root",
          "bind = 127.0.0.1",
          `port = ${port}`,
          "cps = 1000 1",
          "no_access = 127.0.0.3",
        ], "INTERNAL UNLISTED"),
        ...XINETD_ENTRIES.map(([name, lines, type]) =>
          xinetdEntry(name, lines, type)
        ),
        // A second one of the same name is never reached.
        xinetdEntry("whoami", [
          "id = other",
          "user = root",
          "server = /bin/cat",
        ]),
      ];
      const questions = [
        ...XINETD_ENTRIES.flatMap(([name]) => [
          { name },
          { name, from: "127.0.0.2" },
        ]),
        { name: "WhoAmI" },
        { name: "unknown" },
        { name: "HELP" },
        { name: "whoami", from: "127.0.0.3" },
      ];
      let theirs: Record<string, string> = {};
      await withXinetdFile(folder, entries, port, async () => {
        theirs = await outcomes("127.0.0.1", port, questions);
      });
      const table = await imported([join(folder, "xinetd.conf")]);
      await withServer(table, async () => {
        const ours = await outcomes("127.0.0.1", port, questions);
        assertEquals(ours, theirs);
      }, { args: [] });
      assertEquals(theirs["whoami from 127.0.0.1"], "+Go\r\nnobody\n");
      assertEquals(theirs["group from 127.0.0.1"], "+Go\r\ngames\n");
      assertEquals(theirs["own from 127.0.0.2"], "+mine\r\nhello");
      assertMatch(theirs["one from 127.0.0.2"]!, /^\+Go\r\nuid=/);
      const refused = Object.values(theirs).filter((one) => one === "refused");
      assert(refused.length > 20, `${refused.length}`);
    }));
});

const LISTENER = "tcpmux stream tcp nowait root internal";

/** Entries of inetutils-inetd, by the names that are asked for. */
const INETD_ENTRIES = [
  "tcpmux/+whoami stream tcp nowait nobody /usr/bin/id id -un",
  "tcpmux/+group stream tcp nowait nobody.games /usr/bin/id id -gn",
  "tcpmux/+colon stream tcp nowait nobody:games /usr/bin/id id -gn",
  'tcpmux/+words stream tcp nowait nobody /usr/bin/printf printf %s- "a b" c',
  `tcpmux/+single stream tcp nowait nobody /usr/bin/printf printf %s- 'a "b' it's`,
  `tcpmux/+stuck stream tcp nowait nobody /usr/bin/printf printf %s- a"b c"d 'e'f`,
  `tcpmux/+unclosed stream tcp nowait nobody /usr/bin/printf printf %s- 'a b`,
  "tcpmux/+bare stream tcp nowait nobody /usr/bin/id",
  "tcpmux/own stream tcp nowait nobody /usr/bin/printf printf +mine\\r\\nhello",
  "tcpmux/+waits stream tcp wait nobody /usr/bin/id id -un",
  "tcpmux/+dup stream tcp nowait nobody /bin/echo echo first",
  "tcpmux/+dup stream tcp nowait nobody /bin/echo echo second",
  "tcpmux/+hash stream tcp nowait nobody /bin/echo echo a # b",
  "127.0.0.5:tcpmux/+addressed stream tcp nowait nobody /usr/bin/id id -un",
  "tcpmux/+stranger stream tcp nowait nosuchuser /usr/bin/id id",
  "tcpmux/+dgram dgram udp nowait nobody /usr/bin/id id",
  "tcpmux/+internal stream tcp nowait root internal",
  "daytime stream tcp nowait root internal",
  "tcpmux/+six stream tcp6 nowait nobody /usr/bin/id id -un",
];

async function namesOf(host: string): Promise<string[]> {
  const text = await said(host, 1, "127.0.0.1", "HELP\r\n");
  return text.trim().split("\r\n").sort();
}

describe("inetutils-inetd and the table that import makes", {
  ...needsInetutils(),
}, () => {
  test("answer the same clients with the same bytes", async () => {
    const names = INETD_ENTRIES.map((line) =>
      /^(?:[\d.]+:)?(?:tcpmux\/\+?)?(\S+)/.exec(line)![1]!
    );
    const questions = [...new Set(names), "WHOAMI", "unknown"]
      .map((name) => ({ name }));
    const conf = [LISTENER, ...INETD_ENTRIES, ""].join("\n");
    let [host, table] = ["", ""];
    let theirs: Record<string, string> = {};
    let help: string[] = [];
    await withInetdConf(conf, async (inetd, file) => {
      host = inetd.host;
      theirs = await outcomes(host, 1, questions);
      help = await namesOf(host);
      table = await imported([file]);
    });
    await withServer(table, async () => {
      assertEquals(await outcomes(host, 1, questions), theirs);
      assertEquals(await namesOf(host), help);
    }, { args: [] });
    assertEquals(theirs["whoami from 127.0.0.1"], "+Go\r\nnobody\n");
    assertEquals(theirs["dup from 127.0.0.1"], "+Go\r\nsecond\n");
    assertEquals(theirs["daytime from 127.0.0.1"], "refused");
  });
});

const SAMPLES = [
  "xinetd.conf",
  "freebsd.conf",
  "netbsd.conf",
  "gnu.conf",
  "tcpmux.cf",
  "tcpmuxa.conf",
  "sslh.cfg",
  "haproxy.cfg",
];

describe("tcpmux import", () => {
  for (const name of SAMPLES) {
    test(`makes of ${name} a table that check takes`, needsRoot(), async () => {
      const table = await imported([join(ROOT, "tests", "imports", name)]);
      const checked = await tcpmux(["check", "-"], table);
      assertEquals(checked.code, 0, checked.stderr);
      assertMatch(
        String(checked.stdout),
        /^standard input: \d+ services, no errors$/m,
      );
    });
  }

  test(
    "closes a service whose user this machine has not",
    needsRoot(),
    async () => {
      const line = "tcpmux/+a stream tcp nowait nosuchuser /bin/cat cat\n";
      const table = await imported(["--from", "inetd-gnu", "-"], line);
      assertMatch(table, /^# Closed: there is no user "nosuchuser"/m);
      assertEquals((await tcpmux(["check", "-"], table)).code, 0);
    },
  );

  test("says of each part what became of it, by file and line", () =>
    withFolder(async (folder) => {
      const file = join(folder, "inetd.conf");
      const lines = [
        "tcpmux stream tcp nowait root internal",
        "tcpmux/+a stream tcp nowait.5 root /bin/cat cat",
        "tcpmux/+b dgram udp wait root /bin/cat cat",
      ];
      writeFileSync(file, lines.join("\n"));
      const ran = await tcpmux(["import", file]);
      assertEquals(ran.code, 0);
      assertEquals(
        ran.stderr.replaceAll(`${file}:`, ""),
        [
          "1: kept: tcpmux: the address to listen on",
          "2: changed: a: inetd did not hold to its limits behind tcpmux, and " +
          "rate now is held to",
          "2: kept: a: /bin/cat",
          "3: dropped: b: dgram udp is not carried by TCPMUX, which is TCP",
          "",
        ].join("\n"),
      );
      assert(String(ran.stdout).includes(`\n# ${file}:2\n`));
      const socket = String(ran.stdout).includes('\nstdio = "socket"\n');
      assertEquals(socket, programHandsOver());
    }));

  test("takes several files, and a folder, as one configuration", async () => {
    const folder = join(ROOT, "tests", "imports", "xinetd.d");
    const table = await imported([folder]);
    assertMatch(table, /^listen = \["127\.0\.0\.1:10999"\]$/m);
    assert(!table.includes("hidden"));
    const files = ["tcpmux", "programs"].map((name) => join(folder, name));
    const again = await imported(files);
    assert(again.includes("[services.cat]") && !again.includes("telnet"));
  });

  const failures: [string, string[], string, number, RegExp][] = [
    ["no file", ["import"], "", 64, /import needs the files/],
    [
      "a file that is missing",
      ["import", "/no/such"],
      "",
      78,
      /^tcpmux: \/no\/such: cannot be read/,
    ],
    [
      "what it does not know",
      ["import", "-"],
      "hello\n",
      78,
      /looks like no configuration/,
    ],
    [
      "what has no service",
      ["import", "-", "--from", "xinetd"],
      "defaults\n{\n}\n",
      78,
      /no service in it/,
    ],
    [
      "another dialect",
      ["import", "-", "--from", "cups"],
      "",
      64,
      /--from is "cups"; allowed: one of xinetd/,
    ],
  ];
  for (const [what, words, input, code, message] of failures) {
    test(`fails with ${code} for ${what}`, async () => {
      const ran = await tcpmux(words, input);
      assertEquals([ran.code, String(ran.stdout)], [code, ""]);
      assertMatch(ran.stderr, message);
    });
  }

  test("does not mix dialects", () =>
    withFolder(async (folder) => {
      const [a, b] = [join(folder, "a"), join(folder, "b")];
      writeFileSync(a, "+a /bin/cat\n");
      writeFileSync(b, readFileSync(join(ROOT, "tests/imports/sslh.cfg")));
      const ran = await tcpmux(["import", a, b]);
      assertEquals([ran.code, String(ran.stdout)], [64, ""]);
      assertMatch(ran.stderr, /one file is of tcpmux\.cf and another of sslh/);
    }));
});
