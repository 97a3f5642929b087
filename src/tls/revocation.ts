/** Lists of revoked certificates (CRL; RFC 5280, section 5). */
import { TcpmuxError } from "../errors.ts";
import type { Authorities, Judged } from "./authorities.ts";
import { comparedName } from "./certificate.ts";
import {
  blocksIn,
  criticalOf,
  elementsOf,
  hexOf,
  type Signed,
  signedOf,
  timeOf,
} from "./der.ts";
import { isSignedBy, KNOWN_WAYS } from "./signatures.ts";

/** One list. */
interface RevocationList {
  /** Those that have signed it: one, and what it was renewed by. */
  readonly authorities: readonly Judged[];
  /** Milliseconds since 1970; Infinity for a list without an end. */
  readonly end: number;
  /** The serial numbers, by their encoding. */
  readonly revoked: ReadonlySet<string>;
}

/** The lists of all authorities. */
export class RevocationLists {
  readonly #lists: readonly RevocationList[];

  /** @throws {TcpmuxError} that says what is wrong with the file */
  constructor(pem: string, authorities: Authorities) {
    const blocks = blocksIn(pem, "X509 CRL");
    if (blocks.length === 0) {
      throw wrong("has no list of revoked certificates in PEM (X509 CRL)");
    }
    const now = Date.now();
    this.#lists = blocks.map((der) => readList(der, authorities, now));
    for (const one of authorities.all) {
      if (this.#of(one) !== undefined) continue;
      throw wrong(
        `has no list of ${one.name}, which is in client_ca (add its list)`,
      );
    }
    const ended = this.ended(now);
    if (ended !== undefined) throw wrong(ended);
  }

  /** The list of an authority, which is the one that lasts longest. */
  #of(authority: Judged): RevocationList | undefined {
    return this.#lists.filter((list) => list.authorities.includes(authority))
      .toSorted((a, b) => b.end - a.end)[0];
  }

  /** What to say of a list that has ended; undefined while none has. */
  ended(now: number): string | undefined {
    const list = this.#lists.map(({ authorities }) =>
      this.#of(authorities[0]!)!
    )
      .find(({ end }) => end < now);
    return list &&
      `has the list of ${list.authorities[0]!.name}, which ended at ` +
        `${new Date(list.end).toISOString()} (make a new one)`;
  }

  /** Why a certificate of that authority is refused; undefined if it is not. */
  against(
    certificate: Judged,
    authority: Judged,
    now: number,
  ): string | undefined {
    const list = this.#of(authority)!;
    if (list.end < now) {
      return `of ${authority.name}, whose list of revoked certificates has ended`;
    }
    const isRevoked = this.#lists.some((list) =>
      list.authorities.includes(authority) &&
      list.revoked.has(certificate.serial)
    );
    return isRevoked ? "revoked" : undefined;
  }
}

function readList(
  der: Uint8Array,
  authorities: Authorities,
  now: number,
): RevocationList {
  let signed: Signed;
  let fields: Fields;
  let critical: readonly string[];
  try {
    signed = signedOf(der);
    fields = fieldsOf(signed.content);
    critical = criticalOf(fields.extensions.concat(
      fields.entries.map(elementsOf).flatMap(extensionsOfEntry),
    ));
  } catch (cause) {
    throw wrong("has a list that cannot be read", cause);
  }
  const { issuer, begin, end, entries } = fields;
  const signers = authorities.all.filter((one) =>
    one.subject === issuer && isSignedBy(signed, one.fields.publicKey)
  );
  const [authority] = signers;
  if (authority === undefined) {
    throw wrong(
      "has a list that no authority in client_ca has signed in a way that is " +
        `known here (${KNOWN_WAYS})`,
    );
  }
  if (begin > now) {
    const from = new Date(begin).toISOString();
    throw wrong(
      `has a list of ${authority.name} that is valid from ${from} on`,
    );
  }
  // One of these says that the list has only a part, or is of others.
  const [unknown] = critical;
  if (unknown !== undefined) {
    throw wrong(
      `has a list of ${authority.name} with the critical extension ${unknown}, ` +
        "which is not known here (take a whole list)",
    );
  }
  const revoked = entries.map((entry) => hexOf(elementsOf(entry)[0]!));
  return { authorities: signers, end, revoked: new Set(revoked) };
}

interface Fields {
  readonly issuer: string;
  readonly begin: number;
  readonly end: number;
  readonly entries: readonly Uint8Array[];
  readonly extensions: readonly Uint8Array[];
}

/** By the first bytes of the elements, which say what each is. */
const VERSION = 0x02;
const UTC_TIME = 0x17;
const GENERALIZED_TIME = 0x18;
const SEQUENCE = 0x30;
const EXTENSIONS = 0xa0;

function fieldsOf(content: Uint8Array): Fields {
  const all = elementsOf(content);
  // A list of the oldest version does not say it.
  const [, issuer, begin, ...rest] = all[0]![0] === VERSION
    ? all.slice(1)
    : all;
  const next = rest[0]?.[0];
  const hasEnd = next === UTC_TIME || next === GENERALIZED_TIME;
  const behind = hasEnd ? rest.slice(1) : rest;
  const entries = behind.find(([tag]) => tag === SEQUENCE);
  const tagged = behind.find(([tag]) => tag === EXTENSIONS);
  return {
    issuer: comparedName(issuer!),
    begin: timeOf(begin!),
    end: hasEnd ? timeOf(rest[0]!) : Infinity,
    entries: entries === undefined ? [] : elementsOf(entries),
    extensions: tagged === undefined ? [] : elementsOf(elementsOf(tagged)[0]!),
  };
}

function extensionsOfEntry([, , extensions]: readonly Uint8Array[]) {
  return extensions === undefined ? [] : elementsOf(extensions);
}

function wrong(what: string, cause?: unknown): TcpmuxError {
  return new TcpmuxError("failed", what, { cause });
}
