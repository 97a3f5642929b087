import { describe, test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  Access,
  AddressSet,
  EVERYBODY,
  NOBODY,
  type Prefix,
  readPrefixes,
} from "../src/policy/access.ts";

function prefixes(...texts: string[]): Prefix[] {
  return texts.flatMap((text) => {
    const read = readPrefixes(text);
    assert(typeof read !== "string", `${text}: ${read}`);
    return read;
  });
}

describe("prefixes", () => {
  test("are addresses, networks, or any", () => {
    assertEquals(prefixes("192.0.2.1", "10.0.0.0/8", "2001:db8::/32"), [
      { address: "192.0.2.1", family: "ipv4", length: 32 },
      { address: "10.0.0.0", family: "ipv4", length: 8 },
      { address: "2001:db8::", family: "ipv6", length: 32 },
    ]);
    assertEquals(prefixes("any").map(({ length }) => length), [0, 0]);
  });

  test("of IPv4 addresses written as IPv6 ones are IPv4", () => {
    assertEquals(
      prefixes("::ffff:10.0.0.0/104", "::ffff:192.0.2.1"),
      prefixes("10.0.0.0/8", "192.0.2.1"),
    );
    assertEquals(
      prefixes("::ffff:a00:0/104", "0:0:0:0:0:FFFF:192.0.2.1"),
      prefixes("10.0.0.0/8", "192.0.2.1"),
    );
  });

  for (
    const text of [
      "",
      "10.0.0.0/33",
      "::/129",
      "10.0.0/8",
      "10.0.0.0/",
      "10.0.0.0/-1",
      "localhost",
      "fe80::1%lo",
      "::ffff:10.0.0.0/64",
      "10.0.0.0/8/8",
    ]
  ) {
    test(`are not ${JSON.stringify(text)}`, () => {
      assertEquals(typeof readPrefixes(text), "string");
    });
  }
});

describe("an IPv4 address behind NAT64", () => {
  const behind = "64:ff9b::c000:221"; // 192.0.2.33

  test("is denied and exempt as the address itself", () => {
    const access = new Access([], prefixes("192.0.2.0/24"));
    assertEquals(access.keepsOut(behind), "deny");
    assertEquals(access.keepsOut("64:ff9b::c000:321"), undefined);
    assert(new AddressSet(prefixes("192.0.2.33")).has(behind));
  });

  test("is not allowed as the address itself, but as what it is", () => {
    const inside = prefixes("192.0.2.0/24");
    assertEquals(new Access(inside, []).keepsOut(behind), "allow");
    const translated = prefixes("64:ff9b::/96");
    assertEquals(new Access(translated, []).keepsOut(behind), undefined);
    const denied = prefixes("192.0.2.33");
    assertEquals(new Access(translated, denied).keepsOut(behind), "deny");
  });
});

describe("access", () => {
  const access = new Access(
    prefixes("10.0.0.0/8", "10.1.2.3", "192.0.2.0/24", "2001:db8::/32"),
    prefixes("10.1.0.0/16", "192.0.2.0/24", "2001:db8:1::/48"),
  );
  const cases: [string, string | undefined][] = [
    ["10.9.9.9", undefined],
    ["10.1.9.9", "deny"], // more specific
    ["10.1.2.3", undefined], // more specific still
    ["192.0.2.1", "deny"], // a tie
    ["2001:db8::1", undefined],
    ["2001:db8:1::1", "deny"],
    ["203.0.113.1", "allow"], // not on the list
    ["::1", "allow"],
  ];
  for (const [host, expected] of cases) {
    test(`of ${host}: ${expected ?? "let in"}`, () => {
      assertEquals(access.keepsOut(host), expected);
    });
  }

  test("without allow is for all but the denied", () => {
    const open = new Access([], prefixes("10.0.0.0/8"));
    assertEquals(open.keepsOut("10.0.0.1"), "deny");
    assertEquals(open.keepsOut("11.0.0.1"), undefined);
    assertEquals(open.keepsOut("fe80::1%eth0"), undefined);
    assertEquals(EVERYBODY.keepsOut("::1"), undefined);
    assertEquals(NOBODY.keepsOut("::1"), "deny");
    assertEquals(NOBODY.keepsOut("10.0.0.1"), "deny");
  });

  test("goes by the longest prefix that matches", () => {
    const bits = fc.array(
      fc.record({ length: fc.nat(32), deny: fc.boolean() }),
      { maxLength: 12 },
    );
    fc.assert(fc.property(bits, fc.nat(255), (rules, last) => {
      const of = (deny: boolean) =>
        rules.filter((rule) => rule.deny === deny)
          .flatMap(({ length }) => prefixes(`10.20.30.0/${length}`));
      const matching = rules.filter(({ length }) =>
        length <= 24 || (last >> (32 - length)) === 0
      );
      const longest = Math.max(...matching.map(({ length }) => length));
      const decisive = matching.filter(({ length }) => length === longest);
      const expected = decisive.length === 0
        ? of(false).length > 0 ? "allow" : undefined
        : decisive.some(({ deny }) => deny)
        ? "deny"
        : undefined;
      const access = new Access(of(false), of(true));
      assertEquals(access.keepsOut(`10.20.30.${last}`), expected);
    }));
  });

  test("of a set of addresses is only whether they are among them", () => {
    const set = new AddressSet(prefixes("127.0.0.0/8", "::1"));
    assertEquals([set.has("127.9.9.9"), set.has("::1")], [true, true]);
    assertEquals([set.has("128.0.0.1"), set.has("::2")], [false, false]);
    assertEquals(new AddressSet([]).has("::1"), false);
  });
});
