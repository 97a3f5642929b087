/** Tables that are right, or nearly: the grammar that the fuzzer knows. */
import type { Random } from "../tests/support/random.ts";

const DURATIONS = [
  '"500ms"',
  '"10s"',
  '"5m"',
  "0",
  '"1 s"',
  "5",
  '"9999999999s"',
];
const PLACES = [
  ...['"127.0.0.1:80"', '"[::1]:1"', '"unix:/run/x"', '"unix:@x"', '"host:0"'],
  ...['"host"', '""', "80", '["a:1", "b:2"]', "[]", '["a:1", 2]', '":99999"'],
];
const ACCESS = [
  ...['["10.0.0.0/8"]', '["any"]', "[]", '["::1", "fe80::/10"]', '["x"]', "1"],
];
const COUNTS = [
  "0",
  "1",
  "1000000",
  "1000001",
  "-1",
  "1.5",
  "1e3",
  '"5"',
  "0x10",
];
const RATES = ['"50/s"', '"10/m burst 3"', '"0/s"', '"x"', "5"];
const TEXTS = [
  ...[
    '"a"',
    '""',
    "'raw'",
    '"\\u00e9"',
    '"""\nmany\nlines"""',
    "'''\nraw\n'''",
  ],
  ...['"\\u0000"', '"\\x"', '"unended', "true", "{ a = 1 }", '"\\U0001F600"'],
];
const FLAGS = ["true", "false", "1", '"true"'];
const OTHERS = [
  ...["1979-05-27", "07:32:00", "1979-05-27T07:32:00Z", "nan", "-inf", "1_000"],
  ...["{}", "[[]]", "{ a.b = 1, c = [ { d = 2 } ] }", "[1, [2, [3]]]", "0b101"],
];

/** What each key may hold, and what it may not. */
const KEYS: Record<string, readonly string[]> = {
  description: TEXTS,
  aliases: ['["x", "y"]', "[]", '["HELP"]', '["a b"]', '["a"]', '["A"]', '"x"'],
  listed: FLAGS,
  enabled: FLAGS,
  message: ['"Go"', '""', '"\\n"', '"é"', `"${"x".repeat(501)}"`],
  idle_timeout: DURATIONS,
  max_duration: DURATIONS,
  allow: ACCESS,
  deny: ACCESS,
  hours: ['["08:00-18:00"]', '["mon-fri 22:00-06:00"]', "[]", '["x"]', "1"],
  time_zone: ['"UTC"', '"Europe/Berlin"', '"Nowhere"', "1"],
  max_connections: COUNTS,
  max_connections_per_source: COUNTS,
  rate: RATES,
  rate_pause: DURATIONS,
  rate_per_source: RATES,
  connect_timeout: DURATIONS,
  kill_grace: DURATIONS,
  reply: ['"server"', '"service"', '"x"'],
  stdio: ['"pipe"', '"socket"', "0"],
  user: TEXTS,
  cwd: TEXTS,
  env: ['{ A = "1" }', '{ "1" = "x" }', "{ A = 1 }", "{}", "[]"],
  stderr: ['"log"', '"null"', '"client"', '"no"'],
  quotes: ['["one"]', "[]", '[""]', "[1]"],
  listen: PLACES,
  help: FLAGS,
  handshake_timeout: DURATIONS,
  max_handshakes: ['"512:30:1024"', "10", "0", '"1:2"', "1.5", "-1"],
  ipv6_source_prefix: COUNTS,
  penalties: ['{ unknown = "2s" }', "{ enabled = false }", "1", "{ x = 1 }"],
  log: ['{ level = "info" }', '{ format = "json" }', "{}", '"x"'],
  default_server: PLACES,
  server: PLACES,
  service: ['"echo"', '"HELP"', '""', "1"],
};
const ALL_KEYS = Object.keys(KEYS);

/** What chooses a service's kind. */
const KINDS = [
  ...['builtin = "echo"', 'builtin = "qotd"', 'exec = ["cat"]', "exec = []"],
  ...['connect = "a:1"', 'connect = ["a:1", "unix:/x"]', 'tcpmux = "a:1/b"'],
  ...['text = "x"', 'tcpmux = "unix:/a/b/name"', "builtin = 1", ""],
];

const NAMES = [
  ...["echo", "a", "A", "b", "7", "10", '"a.b"', '"a b"', "'x'", "help", '""'],
  ...["__proto__", "constructor", "toString", "hasOwnProperty", '"\\u0061"'],
  ...["a.b", '"\\ud800"', `"${"n".repeat(256)}"`, "services", "'\"'", '"\\""'],
];

/** @param section the word before the names: `services` or `forward` */
export function tomlOf(random: Random, section: string): string {
  const lines: string[] = random.oneIn(10) ? ["\ufeff"] : [];
  if (random.oneIn(2)) lines.push("[server]", ...keys(random));
  for (let left = 1 + random.size(5); left > 0; left--) {
    const name = random.pick(NAMES);
    const kind = section === "forward"
      ? `listen = ${random.pick(PLACES)}`
      : random.pick(KINDS);
    switch (random.below(8)) {
      case 0:
        lines.push(`[${section}]`, `${name} = { ${kind} }`);
        break;
      case 1:
        lines.push(`[${section}]`, `${name}.${kind}`);
        break;
      case 2:
        lines.push(`[[${section}.${name}]]`, kind);
        break;
      default:
        lines.push(`[${section}.${name}]`, kind, ...keys(random));
    }
    if (random.oneIn(5)) lines.push("# remark", "");
    if (random.oneIn(12)) lines.push(`[${section}.${name}.env]`, 'A = "b"');
  }
  return `${lines.join(random.oneIn(8) ? "\r\n" : "\n")}\n`;
}

function keys(random: Random): string[] {
  return Array.from({ length: random.size(6) }, () => {
    const key = random.oneIn(15) ? random.pick(NAMES) : random.pick(ALL_KEYS);
    const value = random.pick(random.oneIn(8) ? OTHERS : KEYS[key] ?? OTHERS);
    return `${random.oneIn(20) ? `"${key}"` : key} = ${value}`;
  });
}

/** What means something to TOML, or breaks it. */
export const WORDS = [
  ...["[", "]", "[[", "]]", "{", "}", "=", ".", ",", '"', "'", '"""', "'''"],
  ...[
    "#",
    "\n",
    "\r\n",
    "\\",
    "\\u",
    "\\U00110000",
    "[server]\n",
    "[services]\n",
  ],
  ...["[services.a]\n", "[[services]]\n", "[services.__proto__.x]\n", "= 1\n"],
  ...["[".repeat(40), "{a=".repeat(40), "a.".repeat(40), "\\uD800", "true"],
  ...NAMES,
  ...OTHERS,
];
