import { describe, test } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  canonicalHost,
  type Endpoint,
  formatEndpoint,
  isLoopback,
  unmapped,
} from "../src/endpoint.ts";
import { parseEndpoint } from "../src/parse_endpoint.ts";
import { TcpmuxError } from "../src/errors.ts";

function tcp(host: string, port: number): Endpoint {
  return { transport: "tcp", host, port };
}

describe("parseEndpoint", () => {
  const rows: [string, Endpoint][] = [
    ["127.0.0.1:1", tcp("127.0.0.1", 1)],
    ["localhost:0", tcp("localhost", 0)],
    ["example.org:65535", tcp("example.org", 65535)],
    ["[::]:1", tcp("::", 1)],
    ["[::1]:00001", tcp("::1", 1)],
    ["[fe80::1%eth0]:22", tcp("fe80::1%eth0", 22)],
    ["[::ffff:10.0.0.1]:22", tcp("::ffff:10.0.0.1", 22)],
    ["unix:/run/x.sock", { transport: "unix", path: "/run/x.sock" }],
    ["unix:./x:1", { transport: "unix", path: "./x:1" }],
    ["unix:@name", { transport: "unix", path: "\0name" }],
    [`unix:/${"x".repeat(106)}`, {
      transport: "unix",
      path: `/${"x".repeat(106)}`,
    }],
  ];
  for (const [text, expected] of rows) {
    test(`takes ${text}`, () => assertEquals(parseEndpoint(text), expected));
  }

  const wrong: [string, string][] = [
    ["", "the host is missing"],
    [":1", "the host is missing"],
    ["[]:1", "the host is missing"],
    ["22", "the host is missing, as in 127.0.0.1:22"],
    ["host", "a port"],
    ["host:", "a port"],
    ["host:x", "a port"],
    ["host:65536", "a port"],
    ["host:-1", "a port"],
    ["host: 1", "a port"],
    ["host:1e3", "a port"],
    ["[::1]", "a port"],
    ["::1", "brackets"],
    ["::1:1", "brackets"],
    ["fe80::1:22", "brackets"],
    ["[::1]1", "brackets"],
    ["[::1:1", "brackets"],
    ["::1]:1", "brackets"],
    ["[name]:1", "brackets"],
    ["ho st:1", "character"],
    ["höst:1", "character"],
    ["host\n:1", "character"],
    [`${"x".repeat(254)}:1`, "character"],
    ["unix:", "followed by a path"],
    ["unix:name", "followed by a path"],
    ["unix:@", "followed by a path"],
    ["unix:/a\0b", "followed by a path"],
    [`unix:/${"x".repeat(107)}`, "107 bytes"],
    [`unix:/${"é".repeat(54)}`, "107 bytes"],
  ];
  for (const [text, why] of wrong) {
    test(`refuses ${JSON.stringify(text)}`, () => {
      const error = assertThrows(() => parseEndpoint(text), TcpmuxError, why);
      assertEquals([error.code, error.address], ["usage", text]);
    });
  }

  test("takes a default port where none is given, and only there", () => {
    assertEquals(parseEndpoint("host", 1), tcp("host", 1));
    assertEquals(parseEndpoint("[::1]", 1), tcp("::1", 1));
    assertEquals(parseEndpoint("host:7", 1), tcp("host", 7));
    assertThrows(() => parseEndpoint("host:", 1), TcpmuxError, "a port");
    assertThrows(() => parseEndpoint("::1", 1), TcpmuxError, "brackets");
  });

  test("reads what formatEndpoint has written of whatever it has read", () => {
    const piece = fc.constantFrom(
      ...["[", "]", ":", "unix:", "@", "/", ".", "%", "::1", "host", "1", " "],
      ...["\0", "\n", "65535", "ffff", "\x7f"],
    );
    const text = fc.oneof(
      fc.string(),
      fc.array(piece).map((pieces) => pieces.join("")),
      fc.tuple(fc.ipV6(), fc.nat(65535)).map(([ip, port]) => `[${ip}]:${port}`),
      fc.tuple(fc.domain(), fc.nat(65535)).map(([host, port]) =>
        `${host}:${port}`
      ),
    );
    fc.assert(fc.property(text, (text) => {
      let endpoint: Endpoint;
      try {
        endpoint = parseEndpoint(text);
      } catch (error) {
        return assert(error instanceof TcpmuxError);
      }
      assertEquals(parseEndpoint(formatEndpoint(endpoint)), endpoint);
    }));
  });
});

test("unmapped gives IPv4 its own form back and leaves all else alone", () => {
  assertEquals(unmapped("::ffff:10.1.2.3"), "10.1.2.3");
  assertEquals(unmapped("::FFFF:10.1.2.3"), "10.1.2.3");
  assertEquals(unmapped("::ffff:a01:203"), "10.1.2.3");
  for (const other of ["10.1.2.3", "::1", "fe80::1", "::ffff:0:a01:203", ""]) {
    assertEquals(unmapped(other), other);
  }
});

test("isLoopback knows what no other machine reaches", () => {
  const own = ["127.0.0.1", "127.1.2.3", "::1", "localhost", "LocalHost"];
  assertEquals(own.filter((host) => !isLoopback(host)), []);
  const others = ["::", "0.0.0.0", "10.0.0.1", "127.example.org"];
  assertEquals(others.filter(isLoopback), []);
});

test("canonicalHost gives each address one form", () => {
  const forms: [string, string][] = [
    ["0:0:0:0:0:0:0:1", "::1"],
    ["2001:DB8::0:1", "2001:db8::1"],
    ["a:a:0::a:0.0.0.0", "a:a::a:0:0"],
    ["::ffff:127.0.0.1", "127.0.0.1"],
    ["0::ffff:7f00:1", "127.0.0.1"],
    ["FE80::1%eth0", "fe80::1%eth0"],
    ["Example.ORG", "example.org"],
  ];
  for (const [written, form] of forms) {
    assertEquals(canonicalHost(written), form);
  }
});
