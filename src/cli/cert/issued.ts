/** What the CA has signed: index.txt, the list that openssl-ca(1) keeps. */
import { TcpmuxError } from "../../errors.ts";

/** One certificate of the list. */
export interface Issued {
  readonly name: string;
  /** In hexadecimal digits. */
  readonly serial: string;
  readonly until: Date;
  readonly revoked:
    | { readonly time: Date; readonly reason: string }
    | undefined;
}

/** Status, end, revocation, serial number, file and subject, by tabs. */
const LINE =
  /^([VRE])\t(\d{12,14}Z)\t(?:(\d{12,14}Z)(?:,(\w+))?)?\t([0-9A-F]+)\t[^\t]*\t\/CN=([\w.@-]+)$/;

/**
 * Reads the list, the oldest certificate first.
 *
 * @param file its name, for the message
 * @throws {TcpmuxError} where a line is none that this program has caused
 */
export function readIssued(text: string, file: string): Issued[] {
  const lines = text.split("\n");
  if (lines.pop() !== "") throw wrong(file, lines.length + 1);
  return lines.map((line, index) => {
    const [, , until, revoked, reason = "unspecified", serial, name] =
      LINE.exec(line) ?? [];
    if (name === undefined) throw wrong(file, index + 1);
    return {
      name,
      serial: serial!,
      until: timeOf(until!),
      revoked: revoked && { time: timeOf(revoked), reason } || undefined,
    };
  });
}

/** The newest certificate of a name. */
export function newestOf(
  issued: readonly Issued[],
  name: string,
): Issued | undefined {
  return issued.findLast((one) => isSame(one.name, name));
}

/**
 * Whether two names are one. They are if they differ in capital letters alone,
 * as their files are the same on some systems.
 */
export function isSame(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

/** As ASN.1 writes a time, with two digits of the year until 2049. */
function timeOf(text: string): Date {
  const century = Number(text.slice(0, 2)) < 50 ? "20" : "19";
  const [, year, month, day, hour, minute, second] =
    /^(\d{4})(..)(..)(..)(..)(..)Z$/.exec(
      text.length === "YYYYMMDDhhmmssZ".length ? text : century + text,
    )!;
  return new Date(
    `${year}-${month}-${day}T${hour}:${minute}:${second}Z`,
  );
}

function wrong(file: string, line: number): TcpmuxError {
  return new TcpmuxError(
    "failed",
    `${file}:${line}: it is no line of this CA (put back the file that tcpmux ` +
      "cert has made)",
  );
}
