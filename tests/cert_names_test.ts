/** What a certificate of `tcpmux cert` may be called. */
import { describe, test } from "node:test";
import { fromBER, type Sequence } from "asn1js";
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  altNameText,
  checkName,
  encodeAltNames,
  namesOfServer,
} from "../src/cli/cert/names.ts";
import { TcpmuxError } from "../src/errors.ts";

describe("NAME", () => {
  const longest = "a".repeat(64);
  for (const name of ["a", "mux.example", "a-b_c@d.e", "_x", "7", longest]) {
    test(`may be ${name}`, () => checkName(name));
  }

  for (
    const name of [
      ...["", ".", "..", ".x", "-x", "@x", "../x", "/etc/x", "a/b", "a\\b"],
      ...["a b", "a\nb", "a\0b", "a/CN=b", "a$b", "a'b", 'a"b', "a=b", "a+b"],
      ...["é", "\u202ea", "a".repeat(65), "ca", "Ca"],
    ]
  ) {
    test(`may not be ${JSON.stringify(name)}`, () => {
      assertThrows(() => checkName(name), TcpmuxError, "NAME is ");
    });
  }

  test("of a server is what clients check", () => {
    assertEquals(namesOfServer("mux.example"), ["dns:mux.example"]);
    assertEquals(namesOfServer("192.0.2.1"), ["ip:192.0.2.1"]);
    assertThrows(() => namesOfServer("a@b"), TcpmuxError, "--san dns:NAME");
    assertThrows(() => namesOfServer("a..b"), TcpmuxError, "--san dns:NAME");
  });
});

describe("--san", () => {
  test("is read back as it was written", () => {
    const names = [
      ...["dns:a", "dns:*.dev.example", "dns:_sip.example", "ip:0.0.0.0"],
      ...["ip:255.255.255.255", "ip:::", "ip:::1", "ip:2001:db8::1:0:0:1"],
      ...[
        "uri:spiffe://fleet/a",
        "uri:a:,DNS:b\\;$c#d",
        "email:a.b+c@d.example",
      ],
    ];
    const { result } = fromBER(encodeAltNames(names));
    const read = (result as Sequence).valueBlock.value.map(altNameText);
    assertEquals(read, names);
  });

  test("of 200 characters and of 300 names has the lengths of DER", () => {
    const names = Array.from(
      { length: 300 },
      (_, index) => `uri:a:x${"x".repeat(index)}`,
    );
    const { result, offset } = fromBER(encodeAltNames(names));
    assert(offset > 300 * 150);
    const read = (result as Sequence).valueBlock.value.map(altNameText);
    assertEquals(read, names);
  });

  for (
    const name of [
      ...["", "x", "dns", "dns:", ":x", "DNS:x", "dir:/", "constructor:x"],
      ...["dns:a b", "dns:a,DNS:b", "dns:a\nb", "dns:.a", "dns:a.", "dns:a..b"],
      ...["dns:a.*", "dns:*", "dns:**.a", "dns:-a", "dns:é", "dns:a\0.b"],
      ...[`dns:${"a".repeat(64)}`, `dns:${"a.".repeat(127)}a`],
      ...["ip:1.2.3", "ip:1.2.3.256", "ip:01.2.3.4", "ip:fe80::1%lo", "ip:x"],
      ...[
        "ip:1.2.3.4/8",
        "uri:x",
        "uri:a b:c",
        "uri:a:\nb",
        "uri:é:a",
        "uri::",
      ],
      ...["email:a", "email:@b", "email:a@", "email:a@b@c", "email:a b@c"],
      ...["email:a\n@b", "email:a@*.b"],
    ]
  ) {
    test(`may not be ${JSON.stringify(name.slice(0, 30))}`, () => {
      const error = assertThrows(() => encodeAltNames([name]), TcpmuxError);
      assert(error.message.startsWith(`--san is ${JSON.stringify(name)}; al`));
      assertEquals(error.code, "usage");
    });
  }
});
