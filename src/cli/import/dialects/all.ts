/** The dialects that can be read, and which of them a file is. */
import type { ReadDialect } from "../dialect.ts";
import { type Source, wordsIn } from "../sources.ts";
import type { DialectName } from "../../spec/migration.ts";
import { importHaproxy } from "./haproxy.ts";
import { importInetd } from "./inetd/inetd.ts";
import { importSslh } from "./sslh.ts";
import { importTcpmuxCf } from "./tcpmux_cf.ts";
import { importTcpmuxa } from "./tcpmuxa.ts";
import { importXinetd } from "./xinetd/xinetd.ts";

export const READERS: Readonly<Record<DialectName, ReadDialect>> = {
  "xinetd": importXinetd,
  "inetd-freebsd": (...args) => importInetd("freebsd", ...args),
  "inetd-netbsd": (...args) => importInetd("netbsd", ...args),
  "inetd-gnu": (...args) => importInetd("gnu", ...args),
  "tcpmux.cf": importTcpmuxCf,
  "tcpmuxa": importTcpmuxa,
  "sslh": importSslh,
  "haproxy": importHaproxy,
};

type Sign = readonly [DialectName, RegExp];

/** Lines that only files of that dialect have; the first that fits is meant. */
const SIGNS: readonly Sign[] = [
  ["haproxy", /^(frontend|backend|listen) [^ ={:]+( #|$)/],
  ["sslh", /^protocols ?[:=]/],
  ["xinetd", /^(service [^ ]+|defaults)( \{)?$|^include(dir)? [^ ]/],
  ["inetd-netbsd", /^\.include |^[^# ]+ (on|off)( [a-z_]+ ?=| ?;|$)/],
];

/** What an entry of any inetd.conf has: a kind of socket, and whether it waits. */
const INETD =
  /^[^# ]+ (stream|dgram|raw|rdm|seqpacket)[^ ]* [^ ]+ (no)?wait[^ ]* /;

/** Those that are not FreeBSD's, as which all others are read. */
const INETD_SIGNS: readonly Sign[] = [
  ["inetd-netbsd", /^[^ ]+ stream([,:]| tcp[46]?,)/],
  [
    "inetd-gnu",
    /^[^ :]+:[^ ]+ stream |^[^ ]+ stream [^ ]+ (nowait[.:]\d|nowait [^ :/]+\.[^ ])/,
  ],
];

/** Lines of words, as those of others are too. */
const LATER_SIGNS: readonly Sign[] = [
  ["tcpmuxa", /^\$ ?\w+ ?=|^[^# ]+ (net [^ ]+ [^ ]+|local [^ ].*)$/i],
  ["tcpmux.cf", /^[^# ]+ \//],
];

/** As much of a line as tells what it is. */
const LINE_START = 500;

/** The dialect of a file, by what stands in it; undefined where nothing tells. */
export function dialectOf({ text }: Source): DialectName | undefined {
  const lines = text.split("\n").map((line) =>
    wordsIn(line.slice(0, LINE_START)).join(" ")
  );
  const bySigns = (signs: readonly Sign[]) =>
    signs.find(([, sign]) => lines.some((line) => sign.test(line)))?.[0];
  const isInetd = lines.some((line) => INETD.test(line));
  return bySigns(SIGNS) ??
    (isInetd ? bySigns(INETD_SIGNS) ?? "inetd-freebsd" : undefined) ??
    bySigns(LATER_SIGNS);
}
