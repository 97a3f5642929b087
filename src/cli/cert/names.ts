/** What a certificate is called: NAME and, besides it, `--san`. */
import { isIP, isIPv4 } from "node:net";
import { type AsnType, Primitive, Sequence } from "asn1js";
import { canonicalHost, groupsOf } from "../../endpoint.ts";
import { usage } from "../flags.ts";

/** As a common name may be (RFC 5280, ub-common-name), and a file. */
const NAME = /^[a-z0-9_][a-z0-9._@-]{0,63}$/i;

/** The class of the tags by which a general name tells its kind. */
const CONTEXT = 3;

interface AltNameKind {
  /** Of a general name (RFC 5280, section 4.2.1.6). */
  readonly tag: number;
  /** What it must be, for messages. */
  readonly form: string;
  readonly isValid: (text: string) => boolean;
  readonly encode: (text: string) => Uint8Array;
  readonly decode: (bytes: Uint8Array) => string;
}

const ascii = {
  encode: (text: string) => new TextEncoder().encode(text),
  decode: (bytes: Uint8Array) => String.fromCharCode(...bytes),
};

const KINDS: Readonly<Record<string, AltNameKind>> = {
  dns: {
    tag: 2,
    form: "a host name, of which the first label may be *",
    isValid: isHostName,
    ...ascii,
  },
  ip: {
    tag: 7,
    form: "an IPv4 or IPv6 address",
    isValid: (text) => isIP(text) !== 0 && !text.includes("%"),
    encode: addressBytes,
    decode: addressText,
  },
  uri: {
    tag: 6,
    form: "a URI with a scheme, in ASCII",
    isValid: (text) =>
      /^[a-z][a-z0-9+.-]*:[\x21-\x7e]+$/i.test(text) && URL.canParse(text),
    ...ascii,
  },
  email: {
    tag: 1,
    form: "a mailbox and a host name with @ between, in ASCII",
    isValid: (text) => {
      const [, host] = /^[\x21-\x3f\x41-\x7e]{1,64}@([^@]+)$/.exec(text) ?? [];
      return host !== undefined && isHostName(host) && !host.startsWith("*");
    },
    ...ascii,
  },
};

/** @throws {TcpmuxError} code `usage` where NAME is none */
export function checkName(name: string): void {
  if (!NAME.test(name)) {
    throw usage(
      `NAME is ${
        JSON.stringify(name)
      }; allowed: up to 64 letters, digits and ` +
        ". - _ @, of which the first is a letter, a digit or _",
    );
  }
  if (name.toLowerCase() === "ca") {
    throw usage(`NAME is ${name}, which is the name of the CA's own files`);
  }
}

/**
 * What clients check a server's certificate for, where `--san` does not say it.
 *
 * @throws {TcpmuxError} code `usage` where its name is none that they can
 */
export function namesOfServer(name: string): readonly string[] {
  if (isIP(name) !== 0) return [`ip:${name}`];
  if (isHostName(name)) return [`dns:${name}`];
  throw usage(
    `a server needs a name that clients can check, and ${name} is none; say ` +
      "it by --san dns:NAME or --san ip:ADDRESS",
  );
}

function isHostName(text: string): boolean {
  return text.length <= 253 &&
    /^(\*\.)?[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_][a-z0-9_-]{0,62})*$/i
      .test(text);
}

/**
 * The value of the extension subjectAltName. It is made of bytes, so that no
 * name can be read as anything but itself.
 *
 * @param names as `--san` has them, such as `dns:mux.example`
 * @throws {TcpmuxError} code `usage`
 */
export function encodeAltNames(names: readonly string[]): Uint8Array {
  const value = names.map((name) => {
    const [, word = "", text = ""] = /^([a-z]+):([^]*)$/i.exec(name) ?? [];
    const kind = Object.hasOwn(KINDS, word) ? KINDS[word]! : undefined;
    if (kind === undefined) {
      throw usage(
        `--san is ${JSON.stringify(name)}; allowed: dns:NAME, ip:ADDRESS, ` +
          "uri:URI and email:ADDRESS",
      );
    }
    if (!kind.isValid(text)) {
      throw usage(
        `--san is ${JSON.stringify(name)}; allowed behind ${word}: is ` +
          kind.form,
      );
    }
    return new Primitive({
      idBlock: { tagClass: CONTEXT, tagNumber: kind.tag },
      valueHex: kind.encode(text),
    });
  });
  return new Uint8Array(new Sequence({ value }).toBER());
}

/** A general name as `--san` takes it. */
export function altNameText(name: AsnType): string {
  const [word, kind] =
    Object.entries(KINDS).find(([, { tag }]) =>
      tag === name.idBlock.tagNumber
    ) ?? [];
  if (kind === undefined || !(name instanceof Primitive)) {
    throw new TypeError("there is a kind of name that --san does not make");
  }
  return `${word}:${kind.decode(name.valueBlock.valueHexView)}`;
}

function addressBytes(text: string): Uint8Array {
  return isIPv4(text)
    ? Uint8Array.from(text.split("."), Number)
    : Uint8Array.from(
      groupsOf(text).flatMap((group) => [group >> 8, group & 0xff]),
    );
}

function addressText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const groups = Array.from(
    { length: bytes.length / 2 },
    (_, index) => view.getUint16(2 * index).toString(16),
  );
  return canonicalHost(groups.join(":"));
}
