import { createHash, randomBytes } from "node:crypto";
import { describe, test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { blackhole } from "./support/blackhole.ts";
import { ClientProcess } from "./support/client_process.ts";
import { tcpmux } from "./support/command.ts";
import { freePort } from "./support/daemon.ts";
import { needs } from "./support/needs.ts";
import { run } from "./support/run.ts";
import {
  asked,
  says,
  saysNothing,
  saysOnAndOn,
  type Script,
  withScripted,
} from "./support/scripted.ts";
import { programUnderTest, withServer } from "./support/server.ts";
import { sleep } from "./support/wait.ts";

const TABLE = `
[services.echo]
builtin = "echo"
[services.chargen]
builtin = "chargen"
[services.about]
text = "first word"
[services.count]
exec = ["wc", "-c"]
[services.greeter]
exec = ["sh", "-c", "echo who; read name; echo hello $name"]
[services.bye]
exec = ["echo", "bye"]
`;

/** `tcpmux connect` to a port of ours, with this as its whole input. */
function connect(
  port: number,
  words: readonly string[],
  input: string | Uint8Array = "",
) {
  const command = [...programUnderTest(), "connect", `127.0.0.1:${port}`];
  return run([...command, ...words], { input, timeout: 60_000 });
}

describe("tcpmux connect", () => {
  test("carries any bytes to a service and back", () =>
    withServer(TABLE, async ({ port }) => {
      const sha256 = (bytes: Uint8Array) =>
        createHash("sha256").update(bytes).digest("hex");
      const data = randomBytes(20_000_000);
      const { code, stdout, stderr } = await connect(port, ["echo"], data);
      assertEquals([code, stderr, stdout.length], [0, "", data.length]);
      assertEquals(sha256(stdout), sha256(data));
    }));

  test("passes on the end of its input and reads on", () =>
    withServer(TABLE, async ({ port }) => {
      const input = "x".repeat(100_000);
      const { code, stdout } = await connect(port, ["count"], input);
      assertEquals([code, String(stdout).trim()], [0, "100000"]);
      const none = await connect(port, ["count"]);
      assertEquals([none.code, String(none.stdout).trim()], [0, "0"]);
    }));

  test("takes turns with a service that speaks first", () =>
    withServer(TABLE, async ({ port }) => {
      const client = new ClientProcess([
        "connect",
        `127.0.0.1:${port}`,
        "greeter",
      ]);
      await client.says("who\n");
      client.type("mux\n");
      assertEquals(await client.exited, 0);
      assertEquals([client.out, client.err], ["who\nhello mux\n", ""]);
    }));

  test("ends when the service does, though its input is open", () =>
    withServer(TABLE, async ({ port }) => {
      for (
        const [service, out] of [["bye", "bye\n"], ["about", "first word"]]
      ) {
        const client = new ClientProcess([
          "connect",
          `127.0.0.1:${port}`,
          service!,
        ]);
        assertEquals(await client.exited, 0, client.err);
        assertEquals([client.out, client.err], [out, ""]);
      }
    }));

  test(
    "ends quietly when nobody reads its output",
    needs("bash"),
    () =>
      withServer(TABLE, async ({ port }) => {
        const script = '"$@" < /dev/null | head -c 1000 | wc -c;' +
          ' echo "${PIPESTATUS[0]}"';
        const { stdout, stderr } = await run([
          ...["bash", "-c", script, "bash", ...programUnderTest()],
          ...["connect", `127.0.0.1:${port}`, "chargen"],
        ]);
        assertEquals(String(stdout).trim().split(/\s+/), ["1000", "0"]);
        assertEquals(stderr, "");
      }),
  );

  test(
    "fails when its output is lost for another reason",
    needs("bash"),
    () =>
      withServer(TABLE, async ({ port }) => {
        const script = '"$@" < /dev/null > /dev/full; echo "$?"';
        const { stdout, stderr } = await run([
          ...["bash", "-c", script, "bash", ...programUnderTest()],
          ...["connect", `127.0.0.1:${port}`, "about"],
        ]);
        assertEquals(String(stdout).trim(), "74");
        assertMatch(String(stderr), /^tcpmux: cannot write: .*space/);
      }),
  );

  test("ends at SIGINT with 130", () =>
    withServer(TABLE, async (server) => {
      const client = new ClientProcess([
        "connect",
        `127.0.0.1:${server.port}`,
        "echo",
      ]);
      client.type("hello");
      await client.says("hello");
      client.signal("SIGINT");
      assertEquals(await client.exited, 130);
      assertEquals(client.err, "");
      await server.record("echo"); // and the server has seen it go
    }));

  test("--verbose says what happens, --quiet nothing", () =>
    withServer(TABLE, async ({ port }) => {
      const told = await connect(port, ["echo", "--verbose"], "hello");
      assertEquals([told.code, String(told.stdout)], [0, "hello"]);
      assertMatch(
        told.stderr,
        /^tcpmux: connected to 127\.0\.0\.1:\d+\ntcpmux: \+Go\ntcpmux: 5 B received, 5 B sent\n$/,
      );
      const quiet = await connect(port, ["-q", "nope"]);
      assertEquals([quiet.code, quiet.stderr], [69, ""]);
      const wrong = await connect(port, ["-q", "a b"]);
      assertEquals(wrong.code, 64);
      assertMatch(wrong.stderr, /"a b" is not a valid service name/);
    }));

  test("sends nothing before the reply, but with --early", () => {
    const heard: string[] = [];
    const slow: Script = (socket) =>
      asked(socket, async (_, rest) => {
        let all = rest;
        socket.on("data", (bytes) => all += String(bytes));
        await sleep(400);
        heard.push(all);
        socket.end("+Go\r\n");
      });
    return withScripted(slow, async (port) => {
      assertEquals((await connect(port, ["x"], "input")).code, 0);
      assertEquals((await connect(port, ["x", "--early"], "input")).code, 0);
      assertEquals(heard, ["", "input"]);
    });
  });

  test("--early ends with the code of a refusal as well", () =>
    withScripted(says("-No such service\r\n"), async (port) => {
      const { code, stderr } = await connect(port, ["x", "--early"], "input");
      assertEquals(code, 69);
      assertMatch(stderr, /No such service/);
    }));

  test("--xinetd drops the NUL behind the reply, and no other", () =>
    withScripted(says("+Go\r\n\0\0data"), async (port) => {
      const plain = await connect(port, ["x"]);
      assertEquals([plain.code, String(plain.stdout)], [0, "\0\0data"]);
      const dropped = await connect(port, ["x", "--xinetd"]);
      assertEquals([dropped.code, String(dropped.stdout)], [0, "\0data"]);
    }));

  test("--wait tries again until the server is there", async () => {
    const port = await freePort();
    const words = ["connect", `127.0.0.1:${port}`, "x", "--wait"];
    const gaveUp = await tcpmux([...words, "300ms"]);
    assertEquals(gaveUp.code, 74);
    assertMatch(
      gaveUp.err,
      /^tcpmux: cannot connect to [^\n]*refused[^\n]*\n$/,
    );
    const client = new ClientProcess([...words, "50s"]);
    client.end();
    await sleep(1_000); // it has been refused by now
    await withScripted(says("+Go\r\nhere"), async () => {
      assertEquals(await client.exited, 0, client.err);
      assertEquals([client.out, client.err], ["here", ""]);
    }, { port });
  });
});

describe("the exit code of tcpmux connect is", () => {
  const outcomes: [number, string, Script, RegExp][] = [
    [69, "a refusal", says("-a\x1b[31m\xffb\r\n"), /refuses "x": a\?\[31m\?b$/],
    [69, "a refusal by xinetd", says("-No\r\n\0"), /refuses "x": No$/],
    [69, "a refusal without words", says("-\n"), /refuses "x": \(no reason\)$/],
    [75, "busy", says("-Server busy\r\n"), /refuses "x": Server busy$/],
    [
      76,
      "no word",
      says(""),
      /it closed the connection \(perhaps it speaks TLS/,
    ],
    [76, "half a reply", says("+Go"), /it closed the connection$/],
    [76, "another protocol", says("SSH-2.0-x\r\n"), /is not a TCPMUX server/],
    [76, "a line without end", saysOnAndOn("+"), /reply line is too long$/],
  ];
  for (const [code, what, script, wanted] of outcomes) {
    test(`${code} for ${what}`, () =>
      withScripted(script, async (port) => {
        const ran = await connect(port, ["x"], "input");
        assertEquals([ran.code, String(ran.stdout)], [code, ""]);
        assertMatch(ran.stderr, /^tcpmux: [\x20-\x7e]+\n$/);
        assertMatch(ran.stderr.trimEnd(), wanted);
      }));
  }

  test("124 for no reply in time", () =>
    withScripted(saysNothing, async (port) => {
      const ran = await connect(port, ["x", "--timeout", "300ms"]);
      assertEquals(ran.code, 124);
      assertMatch(
        ran.stderr,
        /^tcpmux: no reply from .*: no answer in 300 ms\n$/,
      );
    }));

  test("124 for no connection in time", needs("perl"), async () => {
    const { endpoint, close } = await blackhole();
    try {
      assert(endpoint.transport === "tcp");
      const ran = await connect(endpoint.port, ["x", "-t", "300ms"]);
      assertEquals(ran.code, 124);
      assertMatch(ran.stderr, /^tcpmux: cannot connect .* in 300 ms\n$/);
    } finally {
      close();
    }
  });

  test("74 for a port that nobody listens on", async () => {
    const { code, stderr } = await connect(await freePort(), ["x"]);
    assertEquals(code, 74);
    assertMatch(stderr, /^tcpmux: cannot connect to [^\n]*refused[^\n]*\n$/);
  });

  test("68 for a host that is not known", async () => {
    const { code, out, err } = await tcpmux(["connect", "name.invalid", "x"]);
    assertEquals([code, out], [68, ""]);
    assertMatch(err, /^tcpmux: [^\n]*name\.invalid[^\n]*\n$/);
  });

  for (
    const [words, wanted] of [
      [["connect"], /connect needs a server/],
      [["connect", "host"], /needs a server and a service/],
      [["connect", "host", "x", "y"], /unexpected argument "y"/],
      [["connect", "host:port", "x"], /"host:port" is not a server's address/],
      [["connect", "h", "x", "-t", "1 day"], /--timeout is "1 day"/],
      [["connect", "h", "x", "-4", "-6"], /exclude each other/],
      [["list"], /list needs a server/],
    ] as [string[], RegExp][]
  ) {
    test(`64 for tcpmux ${words.join(" ")}`, async () => {
      const { code, out, err } = await tcpmux(words);
      assertEquals([code, out], [64, ""]);
      assertMatch(err, wanted);
    });
  }
});

describe("tcpmux list", () => {
  test("names a server's services, in its order", () =>
    withServer(TABLE, async ({ port }) => {
      const names = ["echo", "chargen", "about", "count", "greeter", "bye"];
      const plain = await tcpmux(["list", `127.0.0.1:${port}`]);
      assertEquals([plain.code, plain.err], [0, ""]);
      assertEquals(plain.out, names.map((name) => `${name}\n`).join(""));
      const json = await tcpmux(["list", "--json", `127.0.0.1:${port}`]);
      assertEquals([json.code, json.err], [0, ""]);
      assertEquals(JSON.parse(json.out), names);
    }));

  const dialects: [string, string][] = [
    ["bare names", "a\r\nB.c\r\n"],
    ["names behind a +", "+Available services:\r\na\r\nB.c\r\n"],
    ["names behind HELP", "HELP\na\nB.c\n"],
    ["names with NULs and blanks around them", " a\0\r\n\r\n B.c \r\n\0"],
  ];
  for (const [what, answer] of dialects) {
    test(`understands ${what}`, () =>
      withScripted(says(answer), async (port) => {
        const { code, out, err } = await tcpmux(["list", `127.0.0.1:${port}`]);
        assertEquals([code, out, err], [0, "a\nB.c\n", ""]);
      }));
  }

  const failures: [number, string, Script, RegExp][] = [
    [69, "a refusal", says("-No \x07help\r\n\0"), /refuses "HELP": No \?help$/],
    [76, "no names", says("<a b>\r\n"), /its answer has no service names$/],
    [76, "a list without end", saysOnAndOn("a\n"), /longer than \d+ bytes$/],
    [124, "silence", saysNothing, /no answer in 400 ms$/],
  ];
  for (const [code, what, script, wanted] of failures) {
    test(`exits ${code} for ${what}`, () =>
      withScripted(script, async (port) => {
        const limit = code === 124 ? ["-t", "400ms"] : [];
        const ran = await tcpmux(["list", `127.0.0.1:${port}`, ...limit]);
        assertEquals([ran.code, ran.out], [code, ""]);
        assertMatch(ran.err, /^tcpmux: [\x20-\x7e]+\n$/);
        assertMatch(ran.err.trimEnd(), wanted);
      }));
  }
});
