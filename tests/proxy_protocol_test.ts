/** The header of the PROXY protocol, as bytes. */
import { Buffer } from "node:buffer";
import { describe, test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Endpoint } from "../src/endpoint.ts";
import { crc32c } from "../src/handshake/proxy_facts.ts";
import {
  ownHeader,
  proxyHeader,
  ProxyHeaderReader,
  type ProxyHeaderState,
} from "../src/handshake/proxy_protocol.ts";
import { text } from "./support/bytes.ts";

function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

const tcp = (host: string, port: number) =>
  ({ transport: "tcp", host, port }) as const;

function read(...pieces: readonly Uint8Array[]): ProxyHeaderState {
  const reader = new ProxyHeaderReader();
  let state: ProxyHeaderState = { state: "more" };
  for (const piece of pieces) {
    state = reader.push(piece);
    if (state.state !== "more") break;
  }
  return state;
}

function headerOf(bytes: Uint8Array) {
  const state = read(bytes);
  assert(state.state === "header", JSON.stringify(state));
  return state.header;
}

const SIGNATURE = "\r\n\r\n\0\r\nQUIT\n";
/** 192.0.2.7:50000 to 198.51.100.1:443. */
const V4 = "\xc0\0\x02\x07\xc6\x33\x64\x01\xc3\x50\x01\xbb";
const ENDS = {
  remote: tcp("192.0.2.7", 50000),
  local: tcp("198.51.100.1", 443),
};

function two(length: number): string {
  return String.fromCharCode(length >> 8, length & 0xff);
}

function fact(type: number, value: string): string {
  return String.fromCharCode(type) + two(value.length) + value;
}

/** Version 2, of these bytes behind the first 14. */
function binary(body: string, kind = "\x11", command = "\x21"): Uint8Array {
  return latin1(`${SIGNATURE}${command}${kind}${two(body.length)}${body}`);
}

test("CRC32C has the value that all have for the nine digits", () => {
  assertEquals(crc32c(latin1("123456789")), 0xe3069283);
});

describe("a header that is read", () => {
  const lines: [string, unknown][] = [
    ["PROXY TCP4 192.0.2.7 198.51.100.1 50000 443", ENDS],
    ["PROXY TCP4 0.0.0.0 255.255.255.255 0 65535", {
      remote: tcp("0.0.0.0", 0),
      local: tcp("255.255.255.255", 65535),
    }],
    ["PROXY TCP6 2001:DB8::1 ::1 1 2", {
      remote: tcp("2001:db8::1", 1),
      local: tcp("::1", 2),
    }],
    ["PROXY TCP6 ::ffff:192.0.2.7 ::ffff:c633:6401 50000 443", ENDS],
    [
      "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff " +
      "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535",
      {
        remote: tcp("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535),
        local: tcp("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535),
      },
    ],
    ["PROXY UNKNOWN", undefined],
    [`PROXY UNKNOWN ${"x".repeat(107 - 16)}`, undefined],
    ["PROXY UNKNOWN \xff\r\0 nothing of it counts", undefined],
  ];
  for (const [line, ends] of lines) {
    test(JSON.stringify(line).slice(0, 60), () => {
      const state = read(latin1(`${line}\r\nssh\r\n`));
      assert(state.state === "header", JSON.stringify(state));
      assertEquals(state.header, { version: 1, ends, facts: {} } as never);
      assertEquals(text(state.rest), "ssh\r\n");
    });
  }

  const binaries: [string, Uint8Array, unknown][] = [
    ["TCP over IPv4", binary(V4), ENDS],
    [
      "TCP over IPv6",
      binary(
        `${"\0".repeat(15)}\x01 \x01\r\xb8${"\0".repeat(11)}\x02\0\x01\0\x02`,
        "\x21",
      ),
      {
        remote: tcp("::1", 1),
        local: tcp("2001:db8::2", 2),
      },
    ],
    [
      "IPv4 in the form of IPv6",
      binary(
        `${"\0".repeat(10)}\xff\xff\xc0\0\x02\x07${"\0".repeat(10)}` +
          "\xff\xff\xc6\x33\x64\x01\xc3\x50\x01\xbb",
        "\x21",
      ),
      ENDS,
    ],
    ["LOCAL without addresses", binary("", "\0", "\x20"), undefined],
    [
      "LOCAL with addresses, which do not count",
      binary(V4, "\x11", "\x20"),
      undefined,
    ],
    ["LOCAL of any family", binary("abc", "\xff", "\x20"), undefined],
    ["UNSPEC", binary("", "\0"), undefined],
    ["UDP over IPv4", binary(V4, "\x12"), undefined],
    ["a Unix socket", binary("\0".repeat(216), "\x31"), undefined],
    ["UNSPEC with bytes of whatever kind", binary("a", "\x01"), undefined],
    ["the longest", binary(V4 + fact(4, "\0".repeat(4096 - 15))), ENDS],
  ];
  for (const [name, bytes, ends] of binaries) {
    test(`version 2: ${name}`, () => {
      const state = read(Buffer.concat([bytes, latin1("ssh\r\n")]));
      assert(state.state === "header", JSON.stringify(state));
      assertEquals(state.header, { version: 2, ends, facts: {} } as never);
      assertEquals(text(state.rest), "ssh\r\n");
    });
  }

  test("says what its proxy knows", () => {
    const tls = "\x07\0\0\0\0" + fact(0x21, "TLSv1.3") +
      fact(0x22, "B\xc3\xbc") +
      fact(0x23, "AES") + fact(0x24, "RSA") + fact(0x25, "RSA2048");
    const body = V4 + fact(1, "h2") + fact(2, "mux.example") +
      fact(5, "\0\xff id") + fact(0x20, tls) + fact(0x30, "ns") + fact(4, "") +
      fact(0xe0, "ours");
    assertEquals(headerOf(binary(body)).facts, {
      alpn: "h2",
      authority: "mux.example",
      uniqueId: "\0\xff id",
      tls: { version: "TLSv1.3", subject: "Bü", cipher: "AES", verified: true },
    });
  });

  for (
    const [name, head] of [
      ["no certificate", "\x01\0\0\0\0"],
      ["one that has not been verified", "\x03\0\0\0\x01"],
      ["no TLS", "\x06\0\0\0\0"],
    ] as const
  ) {
    test(`has not verified a client with ${name}`, () => {
      const { facts } = headerOf(binary(V4 + fact(0x20, head)));
      assertEquals(facts.tls, { verified: false });
    });
  }
});

describe("no header is", () => {
  const cases: [string, Uint8Array, RegExp][] = [
    ["a service line", latin1("ssh\r\n"), /begins with other bytes/],
    ["HTTP", latin1("GET / HTTP/1.1\r\n"), /other bytes/],
    ["PROX and no Y", latin1("PROXI"), /other bytes/],
    ["a signature with another byte", latin1("\r\n\r\n\0\r\nQUIT\r"), /other/],
    ["a line that ends with LF", latin1("PROXY UNKNOWN\n"), /without a CR/],
    ["a line too long", latin1(`PROXY UNKNOWN ${"x".repeat(92)}\r\n`), /107/],
    ["a line without an end", latin1(`PROXY ${"x".repeat(101)}`), /107/],
    [
      "version 1 of another protocol",
      latin1("PROXY UDP4 1.2.3.4 1.2.3.4 1 1\r\n"),
      /TCP/,
    ],
    ["UNKNOWNS", latin1("PROXY UNKNOWNS\r\n"), /TCP/],
    [
      "an address of the other family",
      latin1("PROXY TCP4 ::1 ::1 1 1\r\n"),
      /TCP/,
    ],
    ["a leading zero", latin1("PROXY TCP4 01.2.3.4 1.2.3.4 1 1\r\n"), /TCP/],
    [
      "a leading zero in a port",
      latin1("PROXY TCP4 1.2.3.4 1.2.3.4 01 1\r\n"),
      /TCP/,
    ],
    [
      "a port too high",
      latin1("PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n"),
      /TCP/,
    ],
    [
      "an address with a scope",
      latin1("PROXY TCP6 fe80::1%lo ::1 1 1\r\n"),
      /TCP/,
    ],
    ["two blanks", latin1("PROXY TCP4  1.2.3.4 1.2.3.4 1 1\r\n"), /TCP/],
    [
      "a blank at the end",
      latin1("PROXY TCP4 1.2.3.4 1.2.3.4 1 1 \r\n"),
      /TCP/,
    ],
    ["version 3", binary(V4, "\x11", "\x31"), /version is 3/],
    ["another command", binary(V4, "\x11", "\x22"), /command is 2/],
    ["another family", binary(V4, "\x41"), /no known kind/],
    ["another transport", binary(V4, "\x13"), /no known kind/],
    ["addresses cut short", binary(V4.slice(1)), /too short/],
    ["a path cut short", binary("x".repeat(215), "\x31"), /too short/],
    ["a wrong checksum of UDP", binary(V4 + fact(3, "abcd"), "\x12"), /CRC32C/],
    [
      "a header too long",
      latin1(`${SIGNATURE}!\x11\x10\x01`),
      /4097 bytes, more than 4096/,
    ],
    ["a value without an end", binary(`${V4}\x04\0\x02a`), /longer than/],
    ["half a type", binary(`${V4}\x04\0`), /longer than/],
    [
      "a unique ID too long",
      binary(V4 + fact(5, "x".repeat(129))),
      /unique ID/,
    ],
    ["half of TLS", binary(V4 + fact(0x20, "\x01\0\0\0")), /TLS/],
    [
      "TLS with half a value",
      binary(V4 + fact(0x20, "\x01\0\0\0\0\x21\0\x02a")),
      /TLS/,
    ],
    ["a wrong checksum", binary(V4 + fact(3, "\0\0\0\0")), /CRC32C/],
    ["a checksum of five bytes", binary(V4 + fact(3, "\0\0\0\0\0")), /CRC32C/],
    [
      "a second checksum",
      binary(V4 + fact(3, "\0\0\0\0") + fact(3, "\0\0\0\0")),
      /two/,
    ],
  ];
  for (const [name, bytes, why] of cases) {
    test(name, () => {
      const state = read(bytes);
      assert(state.state === "malformed", JSON.stringify(state));
      assert(why.test(state.why), state.why);
      // The verdict does not depend on how the bytes arrive.
      const single = Array.from(bytes, (byte) => Uint8Array.of(byte));
      assertEquals(read(...single), state);
    });
  }
});

describe("a header that is written", () => {
  test("has the bytes of the specification", () => {
    assertEquals(
      text(proxyHeader(1, ENDS)),
      "PROXY TCP4 192.0.2.7 198.51.100.1 50000 443\r\n",
    );
    const bytes = proxyHeader(2, ENDS, { authority: "ssh", uniqueId: "id" });
    const body = V4 + fact(2, "ssh") + fact(5, "id");
    assertEquals(
      text(bytes.slice(0, -4)),
      text(binary(body + fact(3, "\0\0\0\0")).slice(0, -4)),
    );
  });

  const unix: Endpoint = { transport: "unix", path: "/run/x" };
  test("announces no client without a TCP address", () => {
    for (const remote of [unix, tcp("localhost", 1)]) {
      const peer = { remote, local: tcp("::1", 1) };
      assertEquals(text(proxyHeader(1, peer)), "PROXY UNKNOWN\r\n");
      const local = `${SIGNATURE}\x20\0\0\0`;
      assertEquals(text(proxyHeader(2, peer, { uniqueId: "id" })), local);
    }
  });

  test("has addresses of one family, and no scope", () => {
    const peer = { remote: tcp("192.0.2.7", 1), local: tcp("fe80::1%eth0", 2) };
    assertEquals(
      text(proxyHeader(1, peer)),
      "PROXY TCP6 ::ffff:192.0.2.7 fe80::1 1 2\r\n",
    );
    for (const version of [1, 2] as const) {
      assertEquals(headerOf(proxyHeader(version, peer)).ends, {
        remote: tcp("192.0.2.7", 1),
        local: tcp("fe80::1", 2),
      });
    }
  });

  test("of a connection of its own names that, or nothing", () => {
    const conn = {
      local: tcp("192.0.2.7", 50000),
      remote: tcp("198.51.100.1", 443),
    };
    assertEquals(headerOf(ownHeader(1, conn)).ends, ENDS);
    assertEquals(headerOf(ownHeader(2, conn)).ends, undefined);
  });

  const host = fc.oneof(fc.ipV4(), fc.ipV6().map(asWritten));
  const end = fc.record({ host, port: fc.nat(65535) })
    .map(({ host, port }) => tcp(host, port));
  const peer = fc.record({ remote: end, local: end });
  const version = fc.constantFrom<1 | 2>(1, 2);
  const word = fc.string({
    unit: "binary-ascii",
    minLength: 1,
    maxLength: 128,
  });
  const written = fc.record({ peer, version, authority: word, uniqueId: word });

  test("is read back, and asks for more wherever it is cut", () => {
    fc.assert(fc.property(written, fc.nat(300), (one, at) => {
      const { peer, version, authority, uniqueId } = one;
      const bytes = proxyHeader(version, peer, { authority, uniqueId });
      const facts = version === 1 ? {} : { authority, uniqueId };
      assertEquals(headerOf(bytes), { version, ends: peer, facts });
      const part = bytes.subarray(0, at % bytes.length);
      assertEquals(read(part).state, "more");
      const [whole] = [read(part, bytes.subarray(part.length))];
      assertEquals(whole, read(bytes));
    }));
  });

  test("of which a byte has changed is refused, or is another that is right", () => {
    fc.assert(
      fc.property(
        written,
        fc.nat(300),
        fc.integer({ min: 1, max: 255 }),
        (one, at, bits) => {
          const { peer, version, ...facts } = one;
          const bytes = proxyHeader(version, peer, facts);
          const changed = bytes.slice();
          changed[at % bytes.length]! ^= bits;
          const state = read(changed);
          if (state.state !== "header") return;
          const { header } = state;
          // Version 2 has a checksum, so no byte of an address can change. Only
          // what takes it away does: another command, family, type or length.
          const size = header.ends?.remote.host.includes(".") ? 12 : 36;
          const place = at % bytes.length - 16;
          assert(version === 1 || place < 0 || place >= size, `${place}`);
          const again = header.ends === undefined
            ? proxyHeader(header.version, { remote: unix, local: unix })
            : proxyHeader(header.version, header.ends, header.facts);
          const { ends, facts: { authority, uniqueId } } = headerOf(again);
          assertEquals(ends, header.ends);
          assertEquals(authority, header.facts.authority);
          assertEquals(uniqueId, header.facts.uniqueId);
        },
      ),
    );
  });
});

/** As RFC 5952 has it, which is what the reader gives. */
function asWritten(host: string): string {
  const state = read(latin1(`PROXY TCP6 ${host} ${host} 1 1\r\n`));
  return state.state === "header" ? state.header.ends!.remote.host : "::1";
}
