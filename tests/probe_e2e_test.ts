import { describe, test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { blackhole } from "./support/blackhole.ts";
import { type Result, tcpmux } from "./support/command.ts";
import { freePort } from "./support/daemon.ts";
import {
  says,
  saysNothing,
  saysOnAndOn,
  type Script,
  withScripted,
} from "./support/scripted.ts";
import { withServer } from "./support/server.ts";
import { withUpstream } from "./support/upstream.ts";

const TABLE = `
[services.echo]
builtin = "echo"
[services.about]
text = "line one\\r\\nline|two\\u001b[31m\\r\\n"
[services.chargen]
builtin = "chargen"
[services."it's=a|b"]
text = ""
`;

/** A state, its sentence and what stands behind the bar. */
function parts({ code, out, err }: Result): [number | null, string, string] {
  assertEquals(err, "");
  assertEquals(out.split("\n").length, 2, out);
  assertEquals(out.match(/\|/g)?.length ?? 0, out.includes(" | ") ? 1 : 0, out);
  const [text = "", times = ""] = out.trimEnd().split(" | ");
  const states = ["OK", "WARNING", "CRITICAL", "UNKNOWN"];
  assert(text.startsWith(`TCPMUX ${states[code ?? -1]} - `), text);
  return [code, text.replace(/^TCPMUX \w+ - /, ""), times];
}

describe("tcpmux probe", () => {
  test("a service that answers is OK, with its time", () =>
    withServer(TABLE, async ({ port }) => {
      const [code, text, times] = parts(
        await tcpmux(
          ["probe", `127.0.0.1:${port}`, "echo", "-w", "8500ms", "-c", "9"],
        ),
      );
      assertEquals(code, 0);
      assertMatch(text, /^echo answered in \d\.\d{3} s$/);
      assertMatch(times, /^'echo'=\d\.\d{3}s;8\.5;9;0;10$/);
    }));

  test("what a service must answer goes with one that a URL names", () =>
    withServer(TABLE, async ({ port }) => {
      const url = `tcpmux://127.0.0.1:${port}/about`;
      const probe = (text: string) => tcpmux(["probe", "-e", text, url]);
      assertEquals(parts(await probe("line one"))[0], 0);
      assertEquals(parts(await probe("line two"))[0], 2);
    }));

  test("a limit of 0 is over at once", () =>
    withServer(TABLE, async ({ port }) => {
      const probe = (...flags: string[]) =>
        tcpmux(["probe", `127.0.0.1:${port}`, "echo", ...flags]);
      const warned = parts(await probe("--warning", "0ms", "-t", "1m"));
      assertEquals(warned[0], 1);
      assertMatch(warned[1], /^echo answered in \d\.\d{3} s, over 0 s$/);
      assertMatch(warned[2], /;0;;0;60$/);
      assertEquals(parts(await probe("--critical=0ms"))[0], 2);
      assertEquals(parts(await probe("-w", "0", "-c", "0"))[0], 2);
      assertEquals(parts(await probe("-w", "0", "-c", "30", "-t0"))[0], 1);
    }));

  test("a service that ends at once without a byte is a warning", () =>
    withUpstream(() => Promise.resolve(), (upstream) =>
      withServer(
        `[services.none]\nconnect = "127.0.0.1:${upstream}"\n` +
          '[services.one]\nbuiltin = "daytime"\n' +
          '[services.idle]\nbuiltin = "discard"\n',
        async ({ port }) => {
          const probe = (...words: string[]) =>
            tcpmux(["probe", `127.0.0.1:${port}`, ...words]);
          const [code, text, times] = parts(await probe("none", "one", "idle"));
          assertEquals(code, 1);
          const why =
            "none: opened, but closed at once without sending a byte; ";
          assert(text.startsWith(why), text);
          assertMatch(times, /^'none'=\d\.\d{3}s;/);
          const { code: judged, out } = await probe("none", "--json");
          const [service] = JSON.parse(out).services;
          assertEquals([judged, service.status], [1, "WARNING"]);
          assertEquals((await probe("idle", "one")).code, 0);
        },
      )));

  test("of several the worst counts and is said first", () =>
    withServer(TABLE, async ({ port }) => {
      const [code, text, times] = parts(
        await tcpmux(["probe", `127.0.0.1:${port}`, "echo", "nope", "about"]),
      );
      assertEquals(code, 2);
      assertMatch(
        text,
        /^nope: 127\.0\.0\.1:\d+ refuses "nope": Service not available; echo answered in .* s; about answered in .* s$/,
      );
      assertMatch(times, /^'echo'=.* 'nope'=U;;;0;10 'about'=[\d.]+s;;;0;10$/);
    }));

  test("without a service HELP must name one, and none is started", () =>
    withServer(TABLE, async (server) => {
      const [code, text, times] = parts(
        await tcpmux(["probe", `127.0.0.1:${server.port}`]),
      );
      assertEquals(code, 0);
      assertMatch(text, /^HELP lists 4 services in \d\.\d{3} s$/);
      assertMatch(times, /^'HELP'=\d\.\d{3}s;;;0;10$/);
      await server.logged("connection");
      const records = server.log.filter(({ message }) =>
        message === "connection"
      );
      assertEquals(records.map(({ outcome }) => outcome), ["help"]);
    }));

  test("a server that lists no service is CRITICAL", () =>
    withServer(
      `[services.a]\ntext = "a"\nlisted = false\n`,
      async ({ port }) => {
        const [code, text] = parts(
          await tcpmux(["probe", `127.0.0.1:${port}`]),
        );
        assertEquals(code, 2);
        assertMatch(text, /^HELP: 127\.0\.0\.1:\d+ lists no services$/);
      },
    ));

  test("a name with marks of its own cannot break the line", () =>
    withServer(TABLE, async ({ port }) => {
      const [code, text, times] = parts(
        await tcpmux(["probe", `127.0.0.1:${port}`, "it's=a|b", "no|pe"]),
      );
      assertEquals(code, 2);
      assert(text.includes("no\\x7cpe"), text);
      assertMatch(times, /^'it''s_a_b'=[\d.]+s;;;0;10 'no_pe'=U;;;0;10$/);
    }));

  test("--send and --expect talk to the service", () =>
    withServer(TABLE, async ({ port }) => {
      const probe = (...words: string[]) =>
        tcpmux(["probe", `127.0.0.1:${port}`, ...words]);
      const spoken = await probe(
        "echo",
        "--send",
        "a\\x62\\tc\\\\\\r\\n",
        "--expect",
        "ab\\t\\x63\\\\\\r\\n",
      );
      assertEquals(parts(spoken)[0], 0);
      assertEquals(parts(await probe("about", "-e", "two"))[0], 0);

      const ended = parts(await probe("about", "-e", "line three"));
      assertEquals(ended[0], 2);
      assertEquals(
        ended[1],
        'about: the answer ended without "line three", after it sent ' +
          '"line one\\x0d\\x0aline\\x7ctwo\\x1b[31m\\x0d\\x0a"',
      );
      const late = parts(
        await probe("echo", "-s", "hello", "-e", "bye", "-t", "500ms"),
      );
      assertEquals(late[0], 2);
      assertMatch(late[1], /no answer in 500 ms, after it sent "hello"$/);
      const endless = parts(await probe("chargen", "-e", "\\x00"));
      assertEquals(endless[0], 2);
      assertMatch(endless[1], /first 65536 bytes came without "\\x00"/);
    }));

  test("--json is one object", () =>
    withServer(TABLE, async ({ port }) => {
      const { code, out, err } = await tcpmux(
        ["probe", "--json", `127.0.0.1:${port}`, "echo", "nope"],
      );
      assertEquals([code, err], [2, ""]);
      const { status, services } = JSON.parse(out);
      assertEquals(status, "CRITICAL");
      const [echo, nope] = services;
      assert(echo.seconds > 0);
      assertEquals({ ...echo, seconds: 1 }, {
        name: "echo",
        status: "OK",
        seconds: 1,
        message: "Go",
        error: null,
      });
      assertEquals({ ...nope, error: "" }, {
        name: "nope",
        status: "CRITICAL",
        seconds: null,
        message: null,
        error: "",
      });
      assertMatch(nope.error, /refuses "nope": Service not available$/);
      const wrong = await tcpmux(["probe", "--json"]);
      const { error, ...rest } = JSON.parse(wrong.out);
      assertEquals([wrong.code, rest], [3, {
        status: "UNKNOWN",
        services: [],
      }]);
      assertMatch(error, /probe needs a server/);
    }));

  test("a server that is down is CRITICAL, once for all services", async () => {
    const port = await freePort();
    const [code, text, times] = parts(
      await tcpmux(["probe", `127.0.0.1:${port}`, "a", "b", "a"]),
    );
    assertEquals(code, 2);
    assertMatch(text, /^a, b: cannot connect to .*refused/);
    assertEquals(times, "'a'=U;;;0;10 'b'=U;;;0;10");
    const { endpoint, close } = await blackhole();
    try {
      assert(endpoint.transport === "tcp");
      const lost = parts(
        await tcpmux(["probe", `127.0.0.1:${endpoint.port}`, "-t", "0.3"]),
      );
      assertEquals(lost[0], 2);
      assertMatch(lost[1], /no answer in 300 ms$/);
    } finally {
      close();
    }
  });

  for (
    const [what, script, wanted, services] of [
      ["says nothing", saysNothing, /no answer in 400 ms/, ["x"]],
      ["says nothing to HELP", saysNothing, /no answer in 400 ms/, []],
      ["closes", says(""), /it closed the connection/, ["x"]],
      ["greets", says("220 a|b\r\n"), /is not a TCPMUX server/, ["x"]],
      ["says one line without end", saysOnAndOn("+"), /too long/, ["x"]],
      ["lists without end", saysOnAndOn(""), /longer than \d+ bytes/, []],
      [
        "refuses in a strange way",
        says("-a|b\x1b[2J\xff\r\n\0"),
        /refuses "x": a\\x7cb\?\[2J\?$/,
        ["x"],
      ],
      ["lists nothing but blanks", says("a b\r\n"), /has no service names/, []],
    ] as [string, Script, RegExp, string[]][]
  ) {
    test(`a server that ${what} is CRITICAL`, () =>
      withScripted(script, async (port) => {
        const server = `127.0.0.1:${port}`;
        const limit = script === saysNothing ? ["-t", "400ms"] : [];
        const [code, text] = parts(
          await tcpmux(["probe", server, ...services, ...limit]),
        );
        assertEquals(code, 2);
        assertMatch(text, wanted);
      }));
  }

  for (
    const [words, says] of [
      [[], /probe needs a server/],
      [
        ["h", "--warnin", "1"],
        /unknown flag --warnin: did you mean --warning\?/,
      ],
      [
        ["h", "-w", "soon"],
        /--warning is "soon"; allowed: a time such as 0\.5/,
      ],
      [["h", "-w", "2", "-c", "1"], /warning must not be longer than critical/],
      [["h", "-e", "x"], /send and expect need a service/],
      [["h", "x", "-e", "\\q"], /unknown escape \\q; allowed: \\r \\n/],
      [["h", "x", "-s", "\\"], /unknown escape \\; allowed/],
      [["h:x"], /is not a server's address/],
      [["h", "a b"], /"a b" is not a valid service name/],
      [["h", "-4", "-6"], /exclude each other/],
    ] as [string[], RegExp][]
  ) {
    test(`tcpmux probe ${words.join(" ")} is UNKNOWN`, async () => {
      const [code, text] = parts(await tcpmux(["probe", ...words]));
      assertEquals(code, 3);
      assertMatch(text, says);
    });
  }
});
