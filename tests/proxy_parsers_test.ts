import { describe, test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  type HttpHead,
  HttpReader,
  httpRefusal,
  type HttpState,
  httpTarget,
  MAX_HEAD,
} from "../src/handshake/http.ts";
import { serviceNameOf } from "../src/handshake/socks_or_http.ts";
import {
  SOCKS_REPLY,
  socksMethod,
  SocksReader,
  socksReply,
  type SocksState,
} from "../src/handshake/socks5.ts";
import { text } from "./support/bytes.ts";

function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

function cut(whole: Uint8Array, at: readonly number[]): Uint8Array[] {
  const edges = [0, ...at.map((edge) => Math.min(edge, whole.length))]
    .sort((a, b) => a - b);
  return edges.map((edge, index) => whole.slice(edge, edges[index + 1]));
}

const cuts = fc.array(fc.nat(700), { maxLength: 8 });

/** All states but `more`; `rest` has what comes behind the last one. */
function http(pieces: readonly Uint8Array[]): Record<string, unknown> {
  const reader = new HttpReader();
  for (const [index, piece] of pieces.entries()) {
    const state: HttpState = reader.push(piece);
    if (state.state === "more") continue;
    if (state.state === "malformed") return { ...state };
    const behind = pieces.slice(index + 1).map(text).join("");
    return { ...state, rest: text(state.rest) + behind };
  }
  return { state: "more" };
}

function socks(pieces: readonly Uint8Array[]): Record<string, unknown>[] {
  const reader = new SocksReader();
  const states: Record<string, unknown>[] = [];
  for (const [index, piece] of pieces.entries()) {
    let state: SocksState = reader.push(piece);
    if (state.state === "greeting") {
      states.push({ ...state });
      state = reader.push(new Uint8Array(0));
    }
    if (state.state === "more") continue;
    if (state.state !== "request") return [...states, { ...state }];
    const behind = pieces.slice(index + 1).map(text).join("");
    return [...states, { ...state, rest: text(state.rest) + behind }];
  }
  return states;
}

const GREETING = "\x05\x01\x00";

function asksFor(name: string): string {
  const length = String.fromCharCode(name.length);
  return `\x05\x01\x00\x03${length}${name}\x00\x16`;
}

describe("SocksReader", () => {
  test("takes a greeting and a name, and leaves what is behind", () => {
    assertEquals(socks([latin1(`${GREETING}${asksFor("ssh")}SSH-2.0`)]), [
      { state: "greeting", open: true },
      { state: "request", connect: true, name: "ssh", rest: "SSH-2.0" },
    ]);
  });

  const rows: [string, string, Record<string, unknown>][] = [
    ["IPv4", "\x05\x01\0\x01\x7f\0\0\x01\0\x16!", {
      state: "request",
      connect: true,
      name: undefined,
      rest: "!",
    }],
    ["IPv6", `\x05\x01\0\x04${"\0".repeat(15)}\x01\0\x16!`, {
      state: "request",
      connect: true,
      name: undefined,
      rest: "!",
    }],
    ["BIND", "\x05\x02\0\x03\x01a\0\0", {
      state: "request",
      connect: false,
      name: "a",
      rest: "",
    }],
    ["no name at all", "\x05\x01\0\x03\0\0\x16", {
      state: "request",
      connect: true,
      name: "",
      rest: "",
    }],
    ["another version", "\x04\x01", {
      state: "malformed",
      why: "SOCKS: version 4 is not 5",
    }],
    ["an address of no type", "\x05\x01\0\x02\0", {
      state: "malformed",
      why: "SOCKS: unknown address type 2",
    }],
  ];
  for (const [what, request, expected] of rows) {
    test(`tells ${what}`, () => {
      const states = socks([latin1(GREETING + request)]);
      assertEquals(states, [{ state: "greeting", open: true }, expected]);
    });
  }

  test("tells who does not come without authentication", () => {
    const closed = [{ state: "greeting", open: false }];
    assertEquals(socks([latin1("\x05\x02\x01\x02")]), closed);
    assertEquals(socks([latin1("\x05\0")]), closed);
  });

  test("every cut of any bytes gives the same", () => {
    const stream = fc.oneof(
      fc.uint8Array({ maxLength: 600 }),
      fc.tuple(fc.uint8Array({ maxLength: 300 }), fc.boolean()).map((
        [rest, long],
      ) => {
        const start = GREETING + asksFor(long ? "x".repeat(255) : "name");
        return new Uint8Array([...latin1(start), ...rest]);
      }),
    );
    fc.assert(fc.property(stream, cuts, (whole, at) => {
      assertEquals(socks(cut(whole, at)), socks([whole]));
      assertEquals(
        socks([...whole].map((byte) => Uint8Array.of(byte))),
        socks([whole]),
      );
    }));
  });

  test("answers in the bytes of RFC 1928", () => {
    assertEquals(text(socksMethod(true)), "\x05\0");
    assertEquals(text(socksMethod(false)), "\x05\xff");
    assertEquals(
      text(socksReply(SOCKS_REPLY.connectionRefused)),
      "\x05\x05\0\x01\0\0\0\0\0\0",
    );
  });
});

describe("HttpReader", () => {
  test("takes a head and leaves what is behind", () => {
    assertEquals(
      http([latin1("CONNECT ssh:22 HTTP/1.1\r\nHost: ssh\r\n\r\n\r\nx")]),
      {
        state: "head",
        head: {
          method: "CONNECT",
          target: "ssh:22",
          version: "HTTP/1.1",
          headers: [{ name: "host", line: "Host: ssh" }],
        },
        rest: "\r\nx",
      },
    );
  });

  test("takes lines that end by LF alone, and no header", () => {
    const { state, head } = http([latin1("GET http://a/ HTTP/1.0\n\n")]);
    assertEquals([state, (head as HttpHead).version], ["head", "HTTP/1.0"]);
  });

  const wrong: [string, string, number][] = [
    ["no version", "GET http://a/\r\n\r\n", 400],
    ["another version", "PRI * HTTP/2.0\r\n\r\n", 400],
    ["a blank too many", "GET  http://a/ HTTP/1.1\r\n\r\n", 400],
    ["a folded line", "GET http://a/ HTTP/1.1\r\nA: b\r\n c\r\n\r\n", 400],
    [
      "a blank before the colon",
      "GET http://a/ HTTP/1.1\r\nA : b\r\n\r\n",
      400,
    ],
    ["a CR in a line", "GET http://a/ HTTP/1.1\r\nA: b\rc\r\n\r\n", 400],
    ["NUL", "GET http://a/ HTTP/1.1\r\nA: \0\r\n\r\n", 400],
    ["a target that is not ASCII", "GET http://\xe4/ HTTP/1.1\r\n\r\n", 400],
    ["an empty line first", "\r\n\r\nGET http://a/ HTTP/1.1\r\n\r\n", 400],
    ["a head that has no end", "A".repeat(MAX_HEAD), 431],
    [
      "a head that is too long",
      `GET http://a/ HTTP/1.1\r\nA: ${"b".repeat(MAX_HEAD)}\r\n\r\n`,
      431,
    ],
  ];
  for (const [what, input, status] of wrong) {
    test(`refuses ${what}`, () => {
      const state = http([latin1(input)]);
      assertEquals([state["state"], state["status"]], ["malformed", status]);
    });
  }

  test("takes a head of the longest length, by the byte", () => {
    const start = "GET http://a/ HTTP/1.1\r\nA: ";
    const fill = (length: number) =>
      `${start}${"b".repeat(length - start.length - 4)}\r\n\r\n`;
    assertEquals(http([latin1(fill(MAX_HEAD) + "x")])["state"], "head");
    assertEquals(http([latin1(fill(MAX_HEAD + 1))])["status"], 431);
    const pieces = [...latin1(fill(MAX_HEAD))].map((byte) =>
      Uint8Array.of(byte)
    );
    assertEquals(http(pieces)["state"], "head");
  });

  test("every cut of any bytes gives the same", () => {
    const part = fc.constantFrom(
      ..."\r\n|\n|\r|:| |GET|CONNECT a:1 HTTP/1.1|Host: a|\xff|\0|http://a/"
        .split("|"),
    );
    const stream = fc.array(part, { maxLength: 40 })
      .map((parts) => latin1(parts.join("")));
    const begun = stream.map((more) =>
      new Uint8Array([
        ...latin1("GET http://a/b HTTP/1.1\r\nA: b\r\n"),
        ...more,
      ])
    );
    fc.assert(fc.property(fc.oneof(stream, begun), cuts, (whole, at) => {
      assertEquals(http(cut(whole, at)), http([whole]));
      assertEquals(
        http([...whole].map((byte) => Uint8Array.of(byte))),
        http([whole]),
      );
    }));
  });

  test("a refusal is one whole answer with one line of text", () => {
    const answer = text(httpRefusal(502, "a\r\nb: c"));
    const [head = "", body = ""] = answer.split("\r\n\r\n");
    assertEquals(body, "tcpmux: a b: c\n");
    assert(head.startsWith("HTTP/1.1 502 Bad Gateway\r\n"), head);
    assert(head.includes(`\r\nContent-Length: ${body.length}\r\n`), head);
  });
});

/** What a proxy makes of a request, the head as text. */
function target(request: string): Record<string, unknown> {
  const state = new HttpReader().push(latin1(`${request}\r\n\r\n`));
  assert(state.state === "head", JSON.stringify(state));
  const found = httpTarget(state.head);
  return "head" in found ? { ...found, head: text(found.head) } : { ...found };
}

describe("httpTarget", () => {
  test("of CONNECT is the host", () => {
    for (const asked of ["ssh:22", "ssh", "ssh:"]) {
      assertEquals(target(`CONNECT ${asked} HTTP/1.1`), {
        kind: "tunnel",
        host: "ssh",
      });
    }
    assertEquals(target("CONNECT [::1]:22 HTTP/1.1")["host"], "[::1]");
  });

  test("of http:// is the host, and the head is the origin server's", () => {
    assertEquals(
      target(
        [
          "GET http://wiki:81/a?b=c HTTP/1.1",
          "Host: elsewhere",
          "Accept: */*",
          "Proxy-Connection: keep-alive",
          "Proxy-Authorization: Basic eA==",
          "Connection: keep-alive, X-Hop",
          "X-Hop: 1",
          "X-Kept:  two  ",
        ].join("\r\n"),
      ),
      {
        kind: "request",
        host: "wiki",
        head: "GET /a?b=c HTTP/1.1\r\nHost: wiki:81\r\nAccept: */*\r\n" +
          "X-Kept:  two  \r\nConnection: close\r\n\r\n",
      },
    );
  });

  const paths: [string, string][] = [
    ["GET http://a HTTP/1.1", "GET / HTTP/1.1"],
    ["GET http://a?b HTTP/1.1", "GET /?b HTTP/1.1"],
    ["GET HTTP://a/ HTTP/1.0", "GET / HTTP/1.0"],
    ["OPTIONS http://a HTTP/1.1", "OPTIONS * HTTP/1.1"],
    ["POST http://a//b HTTP/1.1", "POST //b HTTP/1.1"],
    ["GET http://a/http://b/ HTTP/1.1", "GET /http://b/ HTTP/1.1"],
  ];
  for (const [request, first] of paths) {
    test(`makes ${first} of ${request}`, () => {
      const { head } = target(request);
      assertEquals(String(head).split("\r\n")[0], first);
    });
  }

  for (
    const request of [
      "GET / HTTP/1.1",
      "GET * HTTP/1.1",
      "GET https://a/ HTTP/1.1",
      "GET ftp://a/ HTTP/1.1",
      "GET http:///a HTTP/1.1",
      "GET http://user:password@a/ HTTP/1.1",
      "GET http://a/#b HTTP/1.1",
      "GET a:80 HTTP/1.1",
      "CONNECT http://a/ HTTP/1.1",
      "CONNECT user@a:1 HTTP/1.1",
      "CONNECT a:b HTTP/1.1",
      "CONNECT / HTTP/1.1",
    ]
  ) {
    test(`there is none of ${request}`, () => {
      assertEquals(target(request)["status"], 400);
    });
  }
});

describe("serviceNameOf", () => {
  const names: [string, string, string][] = [
    ["ssh", "", "ssh"],
    ["ssh.mux", "", "ssh.mux"],
    ["ssh.mux", ".mux", "ssh"],
    ["SSH.MUX", ".mux", "SSH"],
    ["ssh", ".mux", "ssh"],
    ["a.b.mux", ".mux", "a.b"],
    ["mux", ".mux", "mux"],
  ];
  for (const [host, suffix, name] of names) {
    test(`of ${host} without "${suffix}" is ${name}`, () => {
      assertEquals(serviceNameOf(host, suffix), { name });
    });
  }

  for (
    const host of [
      "127.0.0.1",
      "[::1]",
      "::1",
      "[fe80::1%lo]",
      "",
      ".mux",
      "a b",
      "a\r\nb",
      "help",
      "HELP.mux",
      "x".repeat(256),
    ]
  ) {
    test(`there is none of ${JSON.stringify(host.slice(0, 20))}`, () => {
      assert("why" in serviceNameOf(host, ".mux"));
    });
  }
});
