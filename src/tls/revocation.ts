/** Lists of revoked certificates (CRL; RFC 5280, section 5). */
import { type AsnType, Integer, UTCTime } from "asn1js";
import { TcpmuxError } from "../errors.ts";
import { type Authorities, isSignedBy, type Judged } from "./authorities.ts";
import {
  blocksIn,
  criticalOf,
  encodingOf,
  isTagged,
  parts,
  signedOf,
  timeOf,
} from "./der.ts";

/** One list. */
interface RevocationList {
  readonly authority: Judged;
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
    return this.#lists.filter((list) => list.authority === authority)
      .toSorted((a, b) => b.end - a.end)[0];
  }

  /** What to say of a list that has ended; undefined while none has. */
  ended(now: number): string | undefined {
    const list = this.#lists.map(({ authority }) => this.#of(authority)!)
      .find(({ end }) => end < now);
    return list && `has the list of ${list.authority.name}, which ended at ` +
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
      list.authority === authority && list.revoked.has(certificate.serial)
    );
    return isRevoked ? "revoked" : undefined;
  }
}

function readList(
  der: Uint8Array,
  authorities: Authorities,
  now: number,
): RevocationList {
  let fields: Fields;
  const signed = signedOrNone(der);
  try {
    fields = fieldsOf(signed!.content);
  } catch (cause) {
    throw wrong("has a list that cannot be read", cause);
  }
  const { issuer, begin, end, entries, extensions } = fields;
  const authority = authorities.all.find((one) =>
    one.subject === issuer && isSignedBy(signed!, one)
  );
  if (authority === undefined) {
    throw wrong("has a list that no authority in client_ca has signed");
  }
  if (begin > now) {
    const from = new Date(begin).toISOString();
    throw wrong(
      `has a list of ${authority.name} that is valid from ${from} on`,
    );
  }
  // One of these says that the list has only a part, or is of others.
  const unknown = [extensions, ...entries.map(extensionsOfEntry)]
    .flatMap(criticalOf)[0];
  if (unknown !== undefined) {
    throw wrong(
      `has a list of ${authority.name} with the critical extension ${unknown}, ` +
        "which is not known here (take a whole list)",
    );
  }
  const revoked = entries.map((entry) => encodingOf(parts(entry)[0]));
  return { authority, end, revoked: new Set(revoked) };
}

interface Fields {
  readonly issuer: string;
  readonly begin: number;
  readonly end: number;
  readonly entries: readonly AsnType[];
  readonly extensions: readonly AsnType[];
}

/** Undefined for what is no signed structure. */
function signedOrNone(der: Uint8Array) {
  try {
    return signedOf(der);
  } catch {
    return undefined; // the caller says so
  }
}

function fieldsOf(content: AsnType): Fields {
  const all = parts(content);
  // A list of the oldest version does not say it.
  const [, issuer, begin, ...rest] = all[0] instanceof Integer
    ? all.slice(1)
    : all;
  const end = rest[0] instanceof UTCTime ? rest.shift() : undefined;
  const tagged = rest.find((part) => isTagged(part, 0));
  const entries = rest.find((part) => part !== tagged);
  return {
    issuer: encodingOf(issuer),
    begin: timeOf(begin),
    end: end === undefined ? Infinity : timeOf(end),
    entries: entries === undefined ? [] : parts(entries),
    extensions: tagged === undefined ? [] : parts(parts(tagged)[0]),
  };
}

function extensionsOfEntry(entry: AsnType): AsnType[] {
  const [, , extensions] = parts(entry);
  return extensions === undefined ? [] : parts(extensions);
}

function wrong(what: string, cause?: unknown): TcpmuxError {
  return new TcpmuxError("failed", what, { cause });
}
