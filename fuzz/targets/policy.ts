/** The short forms that stand in values of a table. */
import { isIP } from "node:net";
import { readDuration } from "../../src/units.ts";
import { formatEndpoint } from "../../src/endpoint.ts";
import {
  readEndpoint,
  readServer,
  readTarget,
} from "../../src/parse_endpoint.ts";
import { Access, readPrefixes } from "../../src/policy/access.ts";
import {
  fitted,
  readMaxStartups,
  refusesStartup,
} from "../../src/policy/penalties.ts";
import { Hours, readHours } from "../../src/policy/hours.ts";
import { Bucket, readRate } from "../../src/policy/rate.ts";
import { readLocal } from "../../src/table/forwards.ts";
import { check, same, shown, type Target } from "../target.ts";

/** A short text, made of what is right in its places. */
function form(
  name: string,
  parts: readonly (readonly string[])[],
  holds: (text: string) => void,
): Target {
  return {
    name,
    inputs: 1_000_000,
    binary: false,
    words: parts.flat(),
    generate: (random) => parts.map((of) => random.pick(of)).join(""),
    check: holds,
  };
}

const NUMBERS = ["0", "1", "7", "08", "10", "24", "59", "64", "128", "1078"];
const LARGE = ["65535", "65536", "999999999", "9999999", "12345678"];

const durations = form("duration", [
  [...NUMBERS, ...LARGE],
  ["ms", "s", "m", "h", "", "S"],
], (text) => {
  const time = readDuration(text);
  if (time === undefined) return;
  check(Number.isSafeInteger(time) && time >= 0, () => `${text}: ${time}`);
  if (time < 1e9) same(readDuration(`${time}ms`), time, "in milliseconds");
});

const ADDRESSES = [
  ...["127.0.0.1", "10.0.0.0", "0.0.0.0", "255.255.255.255", "010.0.0.1"],
  ...["::", "::1", "2001:db8::", "::ffff:10.0.0.0", "::FFFF:1.2.3.4", "any"],
  ...["fe80::1%eth0", "1.2.3", "::ffff:a00:1", "1:2:3:4:5:6:7:8", "64:ff9b::"],
];

const prefixes = form("prefix", [
  ADDRESSES,
  ["", "/", "/0", "/8", "/32", "/33", "/64", "/96", "/104", "/128", "/129"],
], (text) => {
  const read = readPrefixes(text);
  if (typeof read === "string") return;
  const access = new Access([], read);
  for (const { address, family, length } of read) {
    const version = family === "ipv4" ? 4 : 6;
    same(isIP(address), version, `the family of ${address}`);
    check(
      length >= 0 && length <= (version === 4 ? 32 : 128),
      () => shown(read),
    );
    same(access.keepsOut(address), "deny", `${address} in ${text}`);
    same(
      readPrefixes(`${address}/${length}`),
      [{ address, family, length }],
      "",
    );
  }
});

const DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const TIMES = ["00:00", "08:00", "23:59", "24:00", "24:01", "9:00", "12:60"];
const NOON = Date.UTC(2026, 10, 22, 12);

const hours = form("hours", [
  ["", "", "mon ", "mon-fri ", "fri-mon ", "sat,sun ", "MON ", "mon-", "x "],
  TIMES,
  ["-", "-", "-", ""],
  TIMES,
], (text) => {
  const range = readHours(text);
  if (typeof range === "string") return;
  const { days, from, to } = range;
  check(from >= 0 && from < 1440 && to >= 0 && to <= 1440, () => shown(range));
  check(
    from !== to && days.length === 7 && days.includes(true),
    () => shown(range),
  );
  const named = DAYS.filter((_, day) => days[day]).join(",");
  const time = (minutes: number) =>
    [Math.floor(minutes / 60), minutes % 60]
      .map((part) => String(part).padStart(2, "0")).join(":");
  same(readHours(`${named} ${time(from)}-${time(to)}`), range, "read back");
});

/** Clocks are slow, so they have a target of their own. */
const clock: Target = {
  ...hours,
  name: "clock",
  inputs: 50_000,
  check(text) {
    const range = readHours(text);
    if (typeof range === "string") return;
    const { days, from, to } = range;
    const open = new Hours([range], "UTC").include(NOON); // on a Sunday
    const expected = from < to
      ? days[0]! && 720 >= from && 720 < to
      : days[0]! && 720 >= from || days[6]! && 720 < to;
    same(open, expected, "open on Sunday noon");
  },
};

const rates = form("rate", [
  [...NUMBERS, ...LARGE],
  ["/", "/", "per"],
  ["s", "m", "h", "d"],
  ["", "", " burst ", " burst  "],
  ["", ...NUMBERS, ...LARGE],
], (text) => {
  const rate = readRate(text);
  if (rate === undefined) return;
  const { perMillisecond, burst } = rate;
  check(perMillisecond > 0 && perMillisecond <= 1e4, () => shown(rate));
  check(
    Number.isInteger(burst) && burst >= 1 && burst < 1e7,
    () => shown(rate),
  );
  const bucket = new Bucket(rate, 0);
  for (let i = 0; i < Math.min(burst, 20); i++) {
    check(bucket.take(rate, 0), () => `${text}: number ${i} of a burst`);
  }
  if (burst <= 20) check(!bucket.take(rate, 0), () => `${text}: one more`);
});

const early = form("early", [
  [...NUMBERS, ...LARGE],
  ["", ":"],
  ["", "0", "1", "30", "100", "101"],
  ["", ":"],
  ["", ...NUMBERS, ...LARGE],
], (text) => {
  const read = readMaxStartups(text);
  if (read === undefined) return;
  const { start, percent, full } = read;
  same(readMaxStartups(`${start}:${percent}:${full}`), read, "read back");
  check(!refusesStartup(read, start - 1, 0), () => `${text}: refused early`);
  check(refusesStartup(read, full, 0.999), () => `${text}: not refused`);
  for (const room of [1, 100, 1e6]) {
    const fit = fitted(read, room);
    check(
      fit.full <= room && fit.start >= 1 && fit.start <= fit.full,
      () => shown(fit),
    );
  }
});

const HOSTS = [
  ...[
    "localhost",
    "127.0.0.1",
    "[::1]",
    "::1",
    "[fe80::1%eth0]",
    "",
    "*",
    "[]",
  ],
  ...[
    "unix:/run/x",
    "unix:@name",
    "unix:./x",
    "unix:@",
    "unix:",
    "a".repeat(253),
  ],
];

const endpoints = form("endpoint", [
  HOSTS,
  ["", ":", ":0", ":1", ":65535", ":65536", ":99999", ":x", "/x"],
], (text) => {
  for (
    const read of [readEndpoint(text), readEndpoint(text, 1), readLocal(text)]
  ) {
    checkEndpoint(read);
  }
  checkEndpoint(readServer(text));
});

const urls = form("url", [
  ["tcpmux://", "TCPMUXS://", "tcpmuxs://", "tcpmux:/", "http://", ""],
  HOSTS,
  ["", ":1", ":65535", ":x", "@h"],
  ["", "/", "/x", "/%2F%25", "/%zz", "/%", "/a/b", "/x?y", "/x#y", "?", "/é"],
], (text) => {
  const target = readTarget(text);
  if (typeof target === "string") return checkEndpoint(target);
  const { endpoint, tls, service } = target;
  checkEndpoint(endpoint);
  if (!/^tcpmuxs?:\/\//i.test(text)) return;
  same(tls, /^tcpmuxs:/i.test(text), "whether it is by TLS");
  check(service !== "", () => "a service without a name");
  const path = service === undefined ? "" : `/${encodeURIComponent(service)}`;
  const url = `tcpmux${tls ? "s" : ""}://${formatEndpoint(endpoint)}${path}`;
  same(readTarget(url), target, "read back");
});

function checkEndpoint(read: ReturnType<typeof readEndpoint>): void {
  if (typeof read === "string") return check(read !== "", () => "no reason");
  if (read.transport === "tcp") {
    check(/^[\x21-\x7e]{1,253}$/.test(read.host), () => shown(read));
    check(read.port >= 0 && read.port <= 65_535, () => shown(read));
  } else {
    check(Buffer.byteLength(read.path) <= 107, () => shown(read));
    check(!read.path.slice(1).includes("\0"), () => shown(read));
  }
  same(readEndpoint(formatEndpoint(read)), read, "read back");
}

export const FORMS: readonly Target[] = [
  durations,
  prefixes,
  hours,
  clock,
  rates,
  early,
  endpoints,
  urls,
];
