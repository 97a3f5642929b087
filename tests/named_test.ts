/** Services that clients name without a service line: by SNI, by first bytes. */
import { describe, test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { HelloReader } from "../src/handshake/client_hello.ts";
import {
  FirstBytesHandshake,
  TcpmuxHandshake,
} from "../src/handshake/request.ts";
import { parseTable } from "../src/table/parse.ts";
import { formatProblem, TableError } from "../src/table/problem.ts";
import { checkRuntime } from "../src/table/table.ts";
import { nameBySni } from "../src/tls/sni_names.ts";
import { memoryTransport } from "../src/transport/memory.ts";
import { bytes, text } from "./support/bytes.ts";
import { clientHello } from "./support/client_hello.ts";

function helloIn(record: Uint8Array) {
  const hello = new HelloReader().push(record);
  assert(hello.kind === "hello", hello.kind);
  return hello;
}

describe("the first message of a client", () => {
  test("has the protocols that it asks for", () => {
    const of = (protocols?: string[]) =>
      helloIn(clientHello({ names: ["a"], ...(protocols && { protocols }) }));
    assertEquals(of().alpn, []);
    assertEquals(of(["tcpmux"]).alpn, ["tcpmux"]);
    assertEquals(of(["h2", "http/1.1"]).alpn, ["h2", "http/1.1"]);
    assertEquals(of(["x".repeat(255), ""]).alpn, ["x".repeat(255), ""]);
  });

  test("has the protocols of a list that is cut short, and never throws", () => {
    const record = clientHello({ protocols: ["h2", "http/1.1"] });
    for (let at = 0; at < record.length; at++) {
      for (const value of [0, 1, 0x7f, 0xff]) {
        const changed = record.slice();
        changed[at] = value;
        const read = new HelloReader().push(changed);
        if (read.kind === "hello") assert(read.alpn.length <= 20);
      }
    }
  });

  const nul = "ssh\0.mux.example";
  const rows: [string, (string | Uint8Array)[], string | undefined][] = [
    ["no name in its list", [], undefined],
    ["an empty name", [""], undefined],
    ["a name in upper case", ["SSH.Mux.Example"], "ssh.mux.example"],
    ["a name with NUL", [nul], undefined],
    ["a name that ends with NUL", ["ssh.mux.example\0"], undefined],
    ["a name in UTF-8", ["sśh.mux.example"], undefined],
    ["bytes that are no UTF-8", [Uint8Array.of(0xff, 0xfe)], undefined],
    ["a name as DNS has it of other letters", [
      "xn--sh-51a.mux.example",
    ], "xn--sh-51a.mux.example"],
    ["a name with a last dot", ["ssh.mux.example."], undefined],
    ["a name with an empty label", ["ssh..mux.example"], undefined],
    ["a name of 254 characters", [`${"a".repeat(242)}.mux.example`], undefined],
    ["a name of 16,000 bytes", ["a".repeat(16_000)], undefined],
    ["two names", ["one.mux.example", "two.mux.example"], "one.mux.example"],
  ];
  for (const [what, names, sni] of rows) {
    test(`may have ${what}`, () => {
      assertEquals(helloIn(clientHello({ names })).sni, sni);
    });
  }

  test("counts the first of two lists of names", () => {
    const second = clientHello({ names: ["two"] }).subarray(-8);
    assertEquals(text(second.subarray(-3)), "two");
    const list = Uint8Array.of(0, 6, 0, 0, 3, ...bytes("one"));
    const record = clientHello({ names: ["two"], extensions: [[0, list]] });
    assertEquals(helloIn(record).sni, "one");
  });
});

describe("the name of a host", () => {
  const byName = new Map(
    ["SSH", "A.B", "WIKI.ELSEWHERE", "MUX.EXAMPLE", "HELPER", "DEEP"].map(
      (name) => [name, name],
    ),
  );
  const domains = ["mux.example", "in.mux.example", "single"];
  const named = (sni?: string, alpn: string[] = [], of = domains) =>
    nameBySni({ sni, alpn }, of, byName);

  const rows: [string, string | undefined, string | undefined][] = [
    ["no host", undefined, undefined],
    ["NAME.DOMAIN", "ssh.mux.example", "ssh"],
    ["a name with a dot", "a.b.mux.example", "a.b"],
    ["a domain in a domain", "ssh.in.mux.example", "ssh"],
    ["the domain itself, as a service is called", "mux.example", undefined],
    ["the domain in the domain", "in.mux.example", undefined],
    ["an unknown name of a domain", "x.mux.example", "x.mux.example"],
    ["HELP", "help.mux.example", "help.mux.example"],
    ["HELP alone", "help", undefined],
    ["a service's whole name", "wiki.elsewhere", "wiki.elsewhere"],
    ["a service's name alone", "ssh", "ssh"],
    ["another domain", "ssh.other.example", undefined],
    ["a domain that ends so", "ssh.xmux.example", undefined],
    ["a domain of one label", "deep.single", "deep"],
  ];
  for (const [what, sni, name] of rows) {
    test(`${what}: ${name ?? "a service line follows"}`, () => {
      assertEquals(named(sni), name);
    });
  }

  test("counts in any domain, where all are meant", () => {
    const any = (sni: string) => nameBySni({ sni, alpn: [] }, true, byName);
    assertEquals(any("ssh.other.example"), "ssh");
    assertEquals(any("ssh"), "ssh");
    assertEquals(any("wiki.elsewhere"), "wiki.elsewhere");
    assertEquals(any("x.mux.example"), undefined);
    assertEquals(any("help.mux.example"), undefined);
    const asking = { sni: "ssh.other.example", alpn: ["tcpmux"] };
    assertEquals(nameBySni(asking, true, byName), undefined);
  });

  test("counts for nothing where the client asks for TCPMUX", () => {
    assertEquals(named("ssh.mux.example", ["h2"]), "ssh");
    assertEquals(named("ssh.mux.example", ["h2", "tcpmux"]), undefined);
  });

  test("counts for nothing without domains", () => {
    assertEquals(named("ssh", [], []), undefined);
  });
});

/** One byte a character. */
function raw(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

describe("first bytes", () => {
  const known = [
    ["SSH-1.99", "old"],
    ["SSH-", "ssh"],
    ["\x00\xff", "binary"],
    ["A", "short"],
  ].map(([prefix, service]) => ({
    bytes: raw(prefix!),
    service: service!,
  }));

  /** What a handshake makes of these pieces, the last of which is the end. */
  function stepOf(...pieces: (string | null)[]) {
    const handshake = new FirstBytesHandshake(known, new TcpmuxHandshake());
    let step = handshake.push(new Uint8Array(0));
    let at = 0;
    for (; step.kind === "more" && at < pieces.length; at++) {
      const piece = pieces[at]!;
      step = handshake.push(piece === null ? null : raw(piece));
    }
    const rest = pieces.slice(at).join("");
    const said = step.kind === "name"
      ? [step.name, step.by ?? "line", text(step.early) + rest]
      : step.kind === "refuse"
      ? [step.code]
      : [step.kind];
    return { said, handshake };
  }

  const rows: [string, (string | null)[], string[]][] = [
    ["at once", ["SSH-2.0-x\r\nmore"], [
      "ssh",
      "first_bytes",
      "SSH-2.0-x\r\nmore",
    ]],
    ["byte by byte", [..."SSH-2.0"], ["ssh", "first_bytes", "SSH-2.0"]],
    ["the longest", ["SSH-1.", "99-x"], ["old", "first_bytes", "SSH-1.99-x"]],
    ["almost the longest", ["SSH-1.", "98-x"], [
      "ssh",
      "first_bytes",
      "SSH-1.98-x",
    ]],
    ["an end before the longest", ["SSH-1.9", null], [
      "ssh",
      "first_bytes",
      "SSH-1.9",
    ]],
    ["binary", ["\x00", "\xff\x01"], ["binary", "first_bytes", "\x00\xff\x01"]],
    ["one byte", ["A"], ["short", "first_bytes", "A"]],
    ["a service line", ["echo\r\nearly"], ["echo", "line", "early"]],
    ["a line that begins so", ["SS\r\n", "x"], ["SS", "line", "x"]],
    ["a line in small letters", ["ssh-\r\n"], ["ssh-", "line", ""]],
    ["a line byte by byte", [..."SSH\r\nx"], ["SSH", "line", "x"]],
    ["an end within them", ["SSH", null], ["eof"]],
    ["half a pair", ["\x00\x01"], ["bad_byte"]],
    ["nothing", [null], ["silence"]],
    ["nothing yet", [], ["more"]],
    ["too little yet", ["SS", "H"], ["more"]],
  ];
  for (const [what, pieces, said] of rows) {
    test(`${what}: ${JSON.stringify(pieces.join("|"))}`, () => {
      assertEquals(stepOf(...pieces).said, said);
    });
  }

  test("get no reply, which a service line gets", () => {
    const refusal = { text: "No" } as Parameters<
      FirstBytesHandshake["rejection"]
    >[0];
    const replies = ({ handshake }: ReturnType<typeof stepOf>) => [
      text(handshake.acceptance("Go")),
      text(handshake.rejection(refusal)),
    ];
    assertEquals(replies(stepOf("SSH-2.0")), ["", ""]);
    assertEquals(replies(stepOf("echo\r\n")), ["+Go\r\n", "-No\r\n"]);
    assertEquals(replies(stepOf("SSH")), ["+Go\r\n", "-No\r\n"]);
  });
});

describe("a table with first bytes", () => {
  /** What is wrong with a table of these lines. */
  function problemsOf(lines: string, listen = "127.0.0.1:0"): string[] {
    const table = parseTable(
      `[server]
listen = "${listen}"
[server.tls]
cert = "c"
key = "k"
[server.first_bytes]
${lines}
[services.one]
text = "x"
aliases = ["SSH-alias"]
[services.two]
text = "y"
`,
      "table",
    );
    try {
      checkRuntime(table, memoryTransport(), "table");
      return [];
    } catch (error) {
      assert(error instanceof TableError);
      return error.problems.map(formatProblem);
    }
  }

  const WHY =
    "begins so as well (make it longer, or give the service another " +
    "name)";
  const rows: [string, string, string[]][] = [
    ["is right", '"GET " = "ONE"\n"\\u0000" = "two"\n"SSH-2" = "two"', []],
    ["names no service", '"x" = "none"', [
      'table:7: server.first_bytes.x: no service is called "none"',
    ]],
    ["begins as a service does", '"oN" = "two"', [
      `table:7: server.first_bytes.oN: the service line of one ${WHY}`,
    ]],
    ["is a service's name", '"two\\r" = "two"', [
      `table:7: server.first_bytes."two\\r": the service line of two ${WHY}`,
    ]],
    ["begins as an alias does", '"SSH-" = "two"', [
      `table:7: server.first_bytes.SSH-: the service line of SSH-alias ${WHY}`,
    ]],
    ["begins as HELP does", '"H" = "two"', [
      `table:7: server.first_bytes.H: the service line of HELP ${WHY}`,
    ]],
    ["holds a line", '"GET /\\r\\nHost" = "two"', [
      'table:7: server.first_bytes."GET /\\r\\nHost": holds a whole line, as ' +
      "clients of TCPMUX send it (end it sooner)",
    ]],
    ["begins with a line's end", '"\\r\\n\\r\\n" = "two"', []],
    ["begins as TLS does", '"\\u0016\\u0003" = "two"', []],
  ];
  for (const [what, lines, problems] of rows) {
    test(what, () => assertEquals(problemsOf(lines), problems));
  }

  test("begins as TLS does, where TLS is taken", () => {
    const listen = "tls-or-plain://127.0.0.1:0";
    assertEquals(problemsOf('"\\u0016" = "two"', listen), [
      'table:7: server.first_bytes."\\u0016": TLS begins so, which an address ' +
      "of listen takes (remove one of both)",
    ]);
  });
});
