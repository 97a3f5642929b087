/** Which certificates `allow_certificate` lets in, by their names. */
import { describe, test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import type { PeerCertificate } from "../src/endpoint.ts";
import {
  alternativeNamesText,
  CertificateList,
  nameText,
  readCertificateRule,
} from "../src/policy/certificates.ts";
import { decide } from "../src/policy/decide.ts";
import { parseTable } from "../src/table/parse.ts";
import { readCertificate } from "../src/tls/certificate.ts";
import { certificatesIn } from "../src/tls/der.ts";
import { makeCertificate, makeIssuer } from "../src/tls/proof/made.ts";
import { text } from "./support/bytes.ts";

type Names = PeerCertificate["names"];

function holder(
  subject: Record<string, string>,
  names: Names = [],
): PeerCertificate {
  return {
    subject: Object.entries(subject).map(([type, value]) => ({ type, value })),
    issuer: [],
    names,
    fingerprint: "",
  };
}

function admits(rule: string, certificate: PeerCertificate): boolean {
  const read = readCertificateRule(rule);
  assert(typeof read !== "string", String(read));
  return new CertificateList([read]).admits(certificate);
}

describe("a rule for certificates", () => {
  const alice = holder({ O: "Example", OU: "field", CN: "alice" });
  const cases: [string, boolean][] = [
    ["CN=alice", true],
    ["cn=alice", true],
    ["OU=field", true],
    ["CN=Alice", false],
    ["CN=alic", false],
    ["OU=alice", false],
    ["2.5.4.3=alice", true],
    ["2.5.4.11=alice", false],
    ["SAN:dns:alice", false],
  ];
  for (const [rule, isIn] of cases) {
    test(`${rule} ${isIn ? "admits" : "does not admit"} CN=alice,OU=field`, () =>
      assertEquals(admits(rule, alice), isIn));
  }

  const named: [string, Names[number]["kind"], string, boolean][] = [
    ["SAN:dns:*.dev.example", "dns", "a.dev.example", true],
    ["SAN:dns:*.dev.example", "dns", "A.Dev.Example", true],
    ["SAN:dns:*.dev.example", "dns", "a.b.dev.example", false],
    ["SAN:dns:*.dev.example", "dns", "dev.example", false],
    ["SAN:dns:*.dev.example", "dns", ".dev.example", false],
    ["SAN:dns:*.dev.example", "dns", "*.dev.example", false],
    ["SAN:dns:*.dev.example", "dns", "a\0.dev.example", false],
    ["SAN:dns:*.dev.example", "uri", "a.dev.example", false],
    ["SAN:dns:k.example", "dns", "K.example", true],
    ["SAN:dns:k.example", "dns", "\u212a.example", false],
    ["SAN:dns:*.k.example", "dns", "a.\u212a.example", false],
    ["SAN:uri:spiffe://fleet/*", "uri", "spiffe://fleet/a", true],
    ["SAN:uri:spiffe://fleet/*", "uri", "spiffe://fleet/", false],
    ["SAN:uri:spiffe://fleet/*", "uri", "spiffe://fleet/a/b", false],
    ["SAN:uri:spiffe://fleet/*", "uri", "spiffe://fleet/..", false],
    ["SAN:uri:spiffe://fleet/*", "uri", "spiffe://fleet/a?b", false],
    ["SAN:uri:spiffe://fleet/*", "uri", "spiffe://fleet/a%2Fb", false],
    ["SAN:uri:spiffe://fleet/*", "uri", "spiffe://fleet.evil/a", false],
    ["SAN:uri:spiffe://fleet/*/x", "uri", "spiffe://fleet/a/x", true],
    ["SAN:uri:urn:a:b", "uri", "urn:a:b", true],
    ["SAN:email:a@example.org", "email", "a@example.org", true],
    ["SAN:email:a@example.org", "email", "b@example.org,a@example.org", false],
    ["SAN:ip:192.0.2.7", "ip", "192.0.2.7", true],
    ["SAN:ip:2001:DB8::7", "ip", "2001:db8::7", true],
  ];
  for (const [rule, kind, value, isIn] of named) {
    const name = JSON.stringify(value);
    test(`${rule} ${isIn ? "admits" : "does not admit"} ${kind} ${name}`, () =>
      assertEquals(admits(rule, holder({}, [{ kind, value }])), isIn));
  }

  for (
    const wrong of [
      "alice",
      "CN=",
      "XX=alice",
      "CN=*",
      "CN=a*",
      "SAN:",
      "SAN:dns:*",
      "SAN:dns:a.*.example",
      "SAN:dns:*a.example",
      "SAN:uri:spiffe://*/a",
      "SAN:uri:spiffe://fleet/a*",
      "SAN:uri:*",
      "SAN:email:*@example.org",
      "SAN:ip:10.*",
      "SAN:upn:alice",
    ]
  ) {
    test(`cannot be ${wrong}`, () => {
      const read = readCertificateRule(wrong);
      assert(typeof read === "string", JSON.stringify(read));
    });
  }

  test("is not met without a certificate", () => {
    const rule = readCertificateRule("CN=alice");
    assert(typeof rule !== "string");
    assertEquals(new CertificateList([rule]).admits(undefined), false);
    assertEquals(new CertificateList([]).admits(undefined), true);
  });
});

describe("the names of a certificate", () => {
  test("are whole, with NUL and all that separates names in texts", () => {
    const name = "alice\0,OU=field\n/OU=field\u202e\\";
    const { cert } = makeCertificate(name, { issuer: makeIssuer("ca") });
    const [der] = certificatesIn(cert);
    const { subject, issuer } = readCertificate(der!);
    assertEquals(subject, [{ type: "CN", value: name }]);
    assertEquals(nameText(issuer), "CN=ca");
    assertEquals(
      nameText(subject),
      "CN=alice\\00\\,OU=field\\0A/OU=field\\E2\\80\\AE\\\\",
    );
    const certificate = { ...holder({}), subject };
    for (const rule of ["CN=alice", "OU=field"]) {
      assertEquals(admits(rule, certificate), false);
    }
    assert(!/\p{Cc}/u.test(nameText(subject)));
  });

  test("are apart in the text of alternative ones", () => {
    const names = [
      { kind: "uri", value: "spiffe://a/b,dns:c" },
      { kind: "dns", value: "d" },
    ] as const;
    assertEquals(
      alternativeNamesText(names),
      "uri:spiffe://a/b\\,dns:c,dns:d",
    );
  });

  test("that are no certificate are an error", () => {
    for (const bytes of [[], [0x30, 0], [1, 2, 3]]) {
      try {
        readCertificate(new Uint8Array(bytes));
      } catch (error) {
        assertEquals((error as Error).message, "it is no certificate of X.509");
        continue;
      }
      assert(false, "it was read");
    }
  });
});

describe("allow_certificate", () => {
  const table = parseTable(
    `
[server.tls]
cert = "c"
key = "k"
client_ca = "ca"
[services.open]
text = ""
[services.field]
text = ""
allow_certificate = ["OU=field"]
[services.inside]
text = ""
allow_certificate = ["OU=field"]
allow = ["192.0.2.0/24"]
[services.closed]
text = ""
allow_certificate = ["OU=field"]
hours = ["sat 00:00-00:01"]
time_zone = "UTC"
`,
    "f",
  );
  const NOON = Date.UTC(2026, 0, 5, 12); // a Monday
  const TLS = { protocol: "", cipher: "", sni: undefined, alpn: undefined };
  const from = (host: string, ou?: string) => ({
    peer: {
      remote: { transport: "tcp", host, port: 1 } as const,
      tls: {
        ...TLS,
        certificate: ou === undefined ? undefined : holder({ OU: ou }),
      },
    },
    now: NOON,
  });
  const cases: [string, ReturnType<typeof from>, string[]][] = [
    ["one of the field", from("192.0.2.1", "field"), [
      "open",
      "field",
      "inside",
    ]],
    ["one from elsewhere", from("198.51.100.1", "field"), ["open", "field"]],
    ["one of the office", from("192.0.2.1", "office"), ["open"]],
    ["nobody", from("192.0.2.1"), ["open"]],
  ];
  for (const [who, asking, may] of cases) {
    test(`goes together with allow and hours: ${who}`, () => {
      const served = table.services.map(({ name }) => name)
        .filter((name) => decide(table, name, asking).kind === "serve");
      assertEquals(served, may);
      const help = decide(table, "HELP", asking);
      assert(help.kind === "help");
      assertEquals(text(help.text).split("\r\n").slice(0, -1), may);
    });
  }

  test("refuses as an unknown name is refused", () => {
    const asking = from("192.0.2.1", "office");
    const said = ["field", "inside", "closed", "nosuch"].map((name) => {
      const decision = decide(table, name, asking);
      assert(decision.kind === "refuse");
      return decision.text;
    });
    assertEquals(new Set(said).size, 1);
  });
});
