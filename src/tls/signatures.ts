/** What somebody with a key has signed (RFC 5280, RFC 4055, RFC 8410). */
import { Buffer } from "node:buffer";
import { nodeCrypto } from "../transport/net/builtins.ts";
import {
  contentOf,
  elementsOf,
  hexOf,
  identifierIn,
  type Signed,
} from "./der.ts";

/** The ways of signing that are known here, for messages. */
export const KNOWN_WAYS = "by RSA, RSA-PSS, ECDSA or EdDSA, with SHA-2";

/** The digest of each algorithm of signatures; null where it has none. */
const DIGESTS: Readonly<Record<string, string | null>> = {
  "1.2.840.113549.1.1.11": "sha256",
  "1.2.840.113549.1.1.12": "sha384",
  "1.2.840.113549.1.1.13": "sha512",
  "1.2.840.10045.4.3.2": "sha256",
  "1.2.840.10045.4.3.3": "sha384",
  "1.2.840.10045.4.3.4": "sha512",
  "1.3.101.112": null, // Ed25519
  "1.3.101.113": null, // Ed448
};

const RSA_PSS = "1.2.840.113549.1.1.10";
const MGF1 = "1.2.840.113549.1.1.8";
const PSS_DIGESTS: Readonly<Record<string, string>> = {
  "2.16.840.1.101.3.4.2.1": "sha256",
  "2.16.840.1.101.3.4.2.2": "sha384",
  "2.16.840.1.101.3.4.2.3": "sha512",
};

/** rsaEncryption with its NULL: a key of RSA that may sign in any way. */
const ANY_RSA = Buffer.from("300d06092a864886f70d0101010500", "hex");

/** By the first bytes of the elements of the parameters of RSA-PSS. */
const DIGEST = 0xa0;
const MASK = 0xa1;
const SALT = 0xa2;

interface PssParameters {
  readonly digest: string;
  readonly saltLength: number;
}

/**
 * Whether the holder of a key has signed something. Not so where it is signed in
 * a way that is unknown here, or to this runtime.
 *
 * @param publicKey as DER (SubjectPublicKeyInfo)
 */
export function isSignedBy(signed: Signed, publicKey: Uint8Array): boolean {
  try {
    return signed.algorithm === RSA_PSS
      ? isSignedByPss(signed, publicKey)
      : isSignedPlainly(signed, publicKey);
  } catch {
    return false; // the key is of another kind than the signature
  }
}

/** Whether a signature is made in a way that is known here. */
export function isKnownWay({ algorithm, parameters }: Signed): boolean {
  if (algorithm !== RSA_PSS) return DIGESTS[algorithm] !== undefined;
  try {
    return pssOf(parameters) !== undefined;
  } catch {
    return false;
  }
}

function isSignedPlainly(
  { content, algorithm, signature }: Signed,
  publicKey: Uint8Array,
): boolean {
  const digest = DIGESTS[algorithm];
  if (digest === undefined || algorithmOf(publicKey)[0] === RSA_PSS) {
    return false;
  }
  const { createPublicKey, verify } = nodeCrypto();
  const key = Buffer.from(publicKey);
  return verify(
    digest,
    content,
    createPublicKey({ key, format: "der", type: "spki" }),
    signature,
  );
}

function isSignedByPss(
  { content, parameters, signature }: Signed,
  publicKey: Uint8Array,
): boolean {
  const pss = pssOf(parameters);
  if (pss === undefined) return false;
  const { constants, createPublicKey, verify } = nodeCrypto();
  const key = createPublicKey({
    key: anyRsaKey(publicKey, pss),
    format: "der",
    type: "spki",
  });
  if (key.asymmetricKeyType !== "rsa") return false;
  const { digest, saltLength } = pss;
  const padding = constants.RSA_PKCS1_PSS_PADDING;
  return verify(digest, content, { key, padding, saltLength }, signature);
}

/**
 * A key that is for RSA-PSS alone, as one that Bun reads too.
 *
 * @throws {TypeError} where the key is for other parameters than these
 */
function anyRsaKey(publicKey: Uint8Array, pss: PssParameters): Buffer {
  const [algorithm, parameters] = algorithmOf(publicKey);
  if (algorithm !== RSA_PSS) return Buffer.from(publicKey);
  const asked = parameters && pssOf(parameters);
  if (
    parameters !== undefined &&
    (asked?.digest !== pss.digest || asked.saltLength > pss.saltLength)
  ) {
    throw new TypeError("the key is for other parameters");
  }
  const body = Buffer.concat([ANY_RSA, elementsOf(publicKey)[1]!]);
  const head = Buffer.from([0x30, 0x82, body.length >> 8, body.length & 0xff]);
  return Buffer.concat([head, body]);
}

/** The identifier of the key's algorithm, and its parameters as DER. */
function algorithmOf(publicKey: Uint8Array) {
  const [id, parameters] = elementsOf(elementsOf(publicKey)[0]!);
  return [identifierIn(id!), parameters] as const;
}

/**
 * Undefined for those that are not known here: SHA-1, which is the default,
 * or two digests, which no runtime's function takes.
 */
function pssOf(parameters: Uint8Array | undefined): PssParameters | undefined {
  const all = parameters === undefined ? [] : elementsOf(parameters);
  const of = (tag: number) => {
    const tagged = all.find(([first]) => first === tag);
    return tagged && elementsOf(tagged)[0]!;
  };
  const [hash, mask, salt] = [of(DIGEST), of(MASK), of(SALT)];
  if (hash === undefined || mask === undefined) return undefined;
  const digest = PSS_DIGESTS[identifierIn(elementsOf(hash)[0]!)];
  const [way, masked] = elementsOf(mask);
  if (
    digest === undefined || identifierIn(way!) !== MGF1 ||
    PSS_DIGESTS[identifierIn(elementsOf(masked!)[0]!)] !== digest
  ) {
    return undefined;
  }
  const saltLength = salt === undefined
    ? 20
    : Number.parseInt(hexOf(contentOf(salt)), 16);
  return { digest, saltLength };
}
