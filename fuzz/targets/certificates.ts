/** Certificates of clients, and the rules by which these are let in. */
import { Buffer } from "node:buffer";
import { TcpmuxError } from "../../src/errors.ts";
import {
  alternativeNamesText,
  CertificateList,
  nameText,
  readCertificateRule,
} from "../../src/policy/certificates.ts";
import { Authorities } from "../../src/tls/authorities.ts";
import { ClientTrust } from "../../src/tls/client_trust.ts";
import { certificatesIn } from "../../src/tls/der.ts";
import { makeCertificate, makeIssuer } from "../../src/tls/proof/made.ts";
import { RevocationLists } from "../../src/tls/revocation.ts";
import { bytesOf, textOf } from "../cut.ts";
import { check, shown, type Target } from "../target.ts";

const CA = makeIssuer("ca");
const AUTHORITIES = new Authorities(CA.cert, false);
const TRUST = new ClientTrust(true, AUTHORITIES, undefined);
const MADE = [
  CA,
  makeCertificate("client", { issuer: CA }),
  makeCertificate("a\0,OU=b\n", { issuer: CA }),
  makeCertificate("server", { issuer: CA, isServers: true }),
].map(({ cert }) => textOf(certificatesIn(cert)[0]!));

/** The runtime has verified them, so what they say is what somebody signed. */
export const certificates: Target = {
  name: "certificate",
  inputs: 200_000,
  binary: true,
  words: [
    ...["\x30\x80", "\x30\x84\xff\xff\xff\xff", "\x02\x01\x02", "\xa0\x03"],
    ...["\x55\x1d\x11", "\x55\x1d\x13", "\x01\x01\xff", "\x04\x02\x30\x00"],
  ],
  generate: (random) => random.pick(MADE),
  check(input) {
    const der = bytesOf(input);
    const shownOf = { der, isTrusted: true, isDoubtful: false, verdict: "" };
    const { certificate, refusal } = TRUST.judge(shownOf);
    check(
      (certificate === undefined) !== (refusal === undefined),
      () => "it is neither let in nor refused, or both",
    );
    if (certificate !== undefined) {
      const { subject, issuer, names } = certificate;
      for (
        const text of [
          nameText(subject),
          nameText(issuer),
          alternativeNamesText(names),
        ]
      ) {
        check(!/\p{C}/u.test(text), () => `it is said as ${shown(text)}`);
      }
    }
    const body = Buffer.from(der).toString("base64");
    const edge = (word: string) => `-----${word} X509 CRL-----`;
    try {
      new RevocationLists(
        `${edge("BEGIN")}${body}${edge("END")}`,
        AUTHORITIES,
      );
    } catch (error) {
      if (!(error instanceof TcpmuxError)) throw error;
    }
  },
};

const VALUES = ["a", "*", "*.b", "a.b", "a/b", "x://y/*", "x://*/y", "", "::1"];

export const rules: Target = {
  name: "allow_certificate",
  inputs: 1_000_000,
  binary: false,
  words: ["CN=", "SAN:", "dns:", "uri:", "ip:", "2.5.4.3=", ...VALUES],
  generate: (random) =>
    random.pick(["CN=", "ou=", "SAN:dns:", "SAN:uri:", "SAN:ip:", "1.2="]) +
    random.pick(VALUES) + random.pick(VALUES),
  check(text) {
    const rule = readCertificateRule(text);
    if (typeof rule === "string") return;
    const list = new CertificateList([rule]);
    const nobody = { subject: [], issuer: [], names: [], fingerprint: "" };
    check(!list.admits(nobody), () => "it lets in who has no name");
    const { of, value } = rule;
    const named = "kind" in of
      ? { ...nobody, names: [{ kind: of.kind, value }] }
      : { ...nobody, subject: [{ type: of.attribute, value }] };
    const isPattern = "kind" in of && value.includes("*");
    check(list.admits(named) !== isPattern, () => "it is not what it says");
  },
};
