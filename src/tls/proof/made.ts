/** Certificates made in memory (RFC 5280), for a proof that needs some. */
import * as asn1 from "asn1js";
import { Buffer } from "node:buffer";
import type { KeyObject } from "node:crypto";
import { nodeCrypto } from "../../transport/net/builtins.ts";
import {
  BASIC_CONSTRAINTS,
  EXTENDED_KEY_USAGE,
  parsed,
  SERVER_AUTH,
} from "../der.ts";

/** A certificate and its key, as PEM. */
export interface Made {
  readonly cert: string;
  readonly key: string;
}

/** Who signs certificates. */
export interface Issuer extends Made {
  readonly name: string;
  readonly privateKey: KeyObject;
}

const DAY = 86_400_000;
const COMMON_NAME = "2.5.4.3";
const ECDSA_WITH_SHA256 = "1.2.840.10045.4.3.2";

/** What a certificate says. */
interface Content {
  /** By default itself. */
  readonly issuer?: Issuer;
  /** Days until it expires; less than 0 if it has. */
  readonly days?: number;
  /** Whether it is for servers only. */
  readonly isServers?: boolean;
}

export function makeIssuer(name: string): Issuer {
  return make(name, {}, true);
}

export function makeCertificate(name: string, content: Content = {}): Made {
  const { cert, key } = make(name, content, false);
  return { cert, key };
}

function make(
  name: string,
  { issuer, days = 1, isServers = false }: Content,
  isIssuer: boolean,
): Issuer {
  const { generateKeyPairSync, sign } = nodeCrypto();
  const { publicKey, privateKey } = generateKeyPairSync("ec", {
    namedCurve: "P-256",
  });
  const algorithm = sequence(oid(ECDSA_WITH_SHA256));
  const spki = publicKey.export({ type: "spki", format: "der" });
  const extensions = [constraints(isIssuer)];
  if (isServers) extensions.push(usage(SERVER_AUTH));
  const signed = sequence(
    tagged(0, new asn1.Integer({ value: 2 })), // version 3
    new asn1.Integer({ valueHex: serial() }),
    algorithm,
    nameOf(issuer?.name ?? name),
    sequence(time(Date.now() - 10 * DAY), time(Date.now() + days * DAY)),
    nameOf(name),
    parsed(spki),
    tagged(3, sequence(...extensions)),
  );
  const bytes = new Uint8Array(signed.toBER());
  const signature = sign("sha256", bytes, issuer?.privateKey ?? privateKey);
  const whole = sequence(
    parsed(bytes),
    algorithm,
    new asn1.BitString({ valueHex: bufferOf(signature) }),
  );
  return {
    name,
    privateKey,
    cert: pem(new Uint8Array(whole.toBER())),
    key: privateKey.export({ type: "pkcs8", format: "pem" }) as string,
  };
}

function sequence(...value: asn1.BaseBlock[]): asn1.Sequence {
  return new asn1.Sequence({ value });
}

function oid(value: string): asn1.ObjectIdentifier {
  return new asn1.ObjectIdentifier({ value });
}

function tagged(tagNumber: number, value: asn1.BaseBlock): asn1.Constructed {
  return new asn1.Constructed({
    idBlock: { tagClass: 3, tagNumber },
    value: [value],
  });
}

function time(value: number): asn1.UTCTime {
  return new asn1.UTCTime({ valueDate: new Date(value) });
}

function nameOf(value: string): asn1.Sequence {
  const attribute = sequence(
    oid(COMMON_NAME),
    new asn1.Utf8String({ value }),
  );
  return sequence(new asn1.Set({ value: [attribute] }));
}

function constraints(isIssuer: boolean): asn1.Sequence {
  const value = isIssuer
    ? sequence(new asn1.Boolean({ value: true }))
    : sequence();
  return sequence(
    oid(BASIC_CONSTRAINTS),
    new asn1.Boolean({ value: true }), // critical
    new asn1.OctetString({ valueHex: value.toBER() }),
  );
}

function usage(purpose: string): asn1.Sequence {
  return sequence(
    oid(EXTENDED_KEY_USAGE),
    new asn1.OctetString({ valueHex: sequence(oid(purpose)).toBER() }),
  );
}

/** Sixteen random bytes that make a positive number. */
function serial(): ArrayBuffer {
  const bytes = nodeCrypto().randomBytes(16);
  bytes[0] = bytes[0]! & 0x3f | 0x40;
  return bufferOf(bytes);
}

function bufferOf(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}

function pem(der: Uint8Array): string {
  const lines = Buffer.from(der).toString("base64").match(/.{1,64}/g) ?? [];
  const edge = (word: string) => `-----${word} CERTIFICATE-----\n`;
  return `${edge("BEGIN")}${lines.join("\n")}\n${edge("END")}`;
}
