import { isIP } from "node:net";
import { canonicalHost, type Endpoint, UNNAMED } from "../../endpoint.ts";
import { type Asking, decide, type Decision } from "../../policy/decide.ts";
import { Problems } from "../../table/problem.ts";
import type { Service } from "../../table/service.ts";
import { checkRuntime, type Table } from "../../table/table.ts";
import { upstreamTlsOf } from "../../tls/load.ts";
import { getEnv } from "../../transport/permission.ts";
import { pickTransport } from "../../transport/pick.ts";
import { HELP } from "../../wire.ts";
import { EXIT } from "../exit.ts";
import { readCommandLine, usage } from "../flags.ts";
import { loadTable, TableSource } from "../load.ts";
import { EXPLAIN } from "../spec/servers.ts";
import { endBy, printOut } from "../system.ts";
import { type Rule, Rules } from "./rules.ts";

/** How `--from` names a client of a Unix socket. */
const UNIX = "unix";

/** `tcpmux explain`: what a client would get, and by which rule. */
export async function explainCommand(
  args: readonly string[],
): Promise<number> {
  endBy("SIGINT", "SIGTERM", "SIGHUP");
  const { flags, positionals } = readCommandLine(args, EXPLAIN, getEnv);
  const [asked] = positionals;
  const remote = clientOf(flags.from);
  const via = flags.via === undefined ? undefined : proxyOf(flags.via);
  const isStrict = !flags["no-strict-modes"];
  const loaded = await loadTable(new TableSource(flags.config, { isStrict }));
  const { table, file } = loaded;
  checkRuntime(table, await pickTransport(), file);
  const service = table.byName.get(asked.toUpperCase());
  const rules = new Rules(loaded);
  const now = Date.now();
  const at = flags.at === undefined
    ? now
    : readInstant(flags.at, rules.zoneOf(service), now);
  if (at === undefined) {
    throw usage(
      `--at is ${JSON.stringify(flags.at)}; allowed: ${INSTANT_FORM}`,
    );
  }
  const unread = new Problems(file, table.located);
  await upstreamTlsOf(table, getEnv, () => {}, file, unread);
  const { certificate } = flags;
  const coming = { remote, via, certificate, now: at };
  const trust = table.server.tls ?? certificate
    ? await import("./trust.ts")
    : undefined;
  const standing = await trust?.standingOf(loaded, rules, coming, unread);
  const peer = { remote, ...(standing?.tls && { tls: standing.tls }) };
  const asking = { peer, now: at };
  const decision = standing?.refusal ?? decide(table, asked, asking);
  const isStranger = via !== undefined &&
    table.server.trustedProxies.keepsOut(via) !== undefined;
  const lines: Rule[] = [
    [asked, isStranger ? CLOSED : verdict(decision)],
    ["client", flags.from!],
    ...(standing?.lines ?? []),
    ...unreadLines(unread),
    ...(via === undefined ? [] : [rules.ofProxy(via)]),
    ["time", new Date(at).toISOString()],
    ...(standing?.refusal !== undefined
      ? [] // nothing of the table is asked then
      : asked.toUpperCase() === HELP
      ? ofHelp(table, rules, asking)
      : service === undefined
      ? rules.ofServer(asking)
      : rules.ofService(service, asked, asking)),
  ];
  const width = Math.max(...lines.map(([name]) => name.length));
  printOut(
    lines.map(([name, text]) => `${name.padEnd(width)}  ${text}\n`).join(""),
  );
  const isRefused = isStranger || decision.kind === "refuse";
  return isRefused ? EXIT.refused : EXIT.done;
}

const CLOSED =
  "refused (malformed): the proxy is not trusted; the connection " +
  "is closed";

/** What was not looked at, and why. */
function unreadLines({ all }: Problems): Rule[] {
  return all.map(({ file, line, key, message }) => {
    const what = UNKNOWN[key] ?? key;
    return ["not checked", `${what}: ${message} (${file}:${line})`];
  });
}

const UNKNOWN: Readonly<Record<string, string>> = {
  "server.tls.client_ca":
    "who has signed the certificates of clients, and whether they are revoked",
  "server.tls.crl": "whether certificates of clients are revoked",
};

/** @throws {TcpmuxError} code `usage` */
function proxyOf(via: string): string {
  if (isIP(via) !== 0) return canonicalHost(via);
  throw usage(`--via is ${JSON.stringify(via)}; allowed: an address`);
}

/** @throws {TcpmuxError} code `usage` */
function clientOf(from: string | undefined): Endpoint {
  if (from === undefined) {
    throw usage("explain needs --from ADDRESS: who asks for the service");
  }
  if (from === UNIX) return UNNAMED;
  if (isIP(from) === 0) {
    throw usage(
      `--from is ${JSON.stringify(from)}; allowed: an address, or ${UNIX} ` +
        "for the clients of a Unix socket",
    );
  }
  return { transport: "tcp", host: canonicalHost(from), port: 0 };
}

function verdict(decision: Decision<Service>): string {
  switch (decision.kind) {
    case "refuse":
      return `refused (${decision.outcome}): ${decision.reason}; the client ` +
        `reads -${decision.text}`;
    case "help":
      return "the list of services";
    case "serve":
      return `served; the client reads ${replyOf(decision.service)}`;
  }
}

function replyOf(service: Service): string {
  const isOwn = service.kind === "exec" && service.reply === "service" ||
    service.kind === "tcpmux";
  return isOwn ? "what the service replies" : `+${service.message}`;
}

/** Each service, and whether HELP names it to this client. */
function ofHelp(table: Table, rules: Rules, asking: Asking): Rule[] {
  const answer = decide(table, HELP, asking);
  const listed = answer.kind === "help"
    ? new TextDecoder().decode(answer.text).split("\r\n")
    : [];
  return [
    ...rules.ofServer(asking),
    rules.ofHelp(),
    ...table.services.map((service): Rule => {
      const { name } = service;
      if (listed.includes(name)) return [name, "is listed"];
      const decision = decide(table, service, asking);
      return [
        name,
        decision.kind === "refuse"
          ? `is not listed: ${decision.reason}`
          : "is not listed, but served: listed = false",
      ];
    }),
  ];
}

/** Times as people write them. */
const TIME = /^([01]\d|2[0-3]):([0-5]\d)$/;
const ISO =
  /^(\d{4}-\d\d-\d\d)(?:[T ]([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?)?(Z|[+-]\d\d:?\d\d)?$/i;

/** The form of a time, for messages. */
const INSTANT_FORM =
  'a time of today such as "03:00", or ISO 8601 such as "2026-12-24T18:00" or ' +
  '"2026-12-24T18:00Z"';

/**
 * Reads `HH:MM`, which is today, or a date and time, which are those of the
 * time zone unless they say another.
 *
 * @param timeZone by default the system's own
 * @param now milliseconds since 1970
 * @returns milliseconds since 1970; undefined where the text is no time
 */
export function readInstant(
  text: string,
  timeZone: string | undefined,
  now: number,
): number | undefined {
  if (TIME.test(text)) {
    const today = new Date(now + offset(timeZone, now)).toISOString();
    return readInstant(`${today.slice(0, 10)}T${text}`, timeZone, now);
  }
  const [, date, hours = "00", minutes = "00", seconds = "00", zone] =
    ISO.exec(text) ?? [];
  if (date === undefined) return undefined;
  const [, hour = "", minute = ""] = /^([+-]\d\d):?(\d\d)$/.exec(zone ?? "") ??
    [];
  const suffix = hour === "" ? "Z" : `${hour}:${minute}`;
  const at = Date.parse(`${date}T${hours}:${minutes}:${seconds}${suffix}`);
  // JavaScript takes the 30th of February for a day in March.
  const isDay = new Date(`${date}T00:00Z`).toJSON()?.startsWith(date);
  if (Number.isNaN(at) || !isDay) return undefined;
  if (zone !== undefined) return at;
  return at - offset(timeZone, at - offset(timeZone, at));
}

/** By how many milliseconds the clock of a time zone is ahead of UTC. */
function offset(timeZone: string | undefined, at: number): number {
  const clock = new Intl.DateTimeFormat("en-US", {
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hourCycle: "h23",
    ...(timeZone === undefined ? {} : { timeZone }),
  });
  const { year, month, day, hour, minute, second } = Object.fromEntries(
    clock.formatToParts(at).map(({ type, value }) => [type, Number(value)]),
  );
  const local = Date.UTC(year!, month! - 1, day, hour, minute, second);
  return local - Math.floor(at / 1000) * 1000;
}
