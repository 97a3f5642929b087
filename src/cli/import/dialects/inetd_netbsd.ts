/** The entries of NetBSD's inetd that are keys with values (inetd.conf(5)). */
import { basename } from "node:path";
import type { Place } from "../report.ts";
import { hostList, type InetdEntry } from "./inetd_line.ts";

/** Whether a line begins such an entry. */
export function isKeyed(line: string): boolean {
  return /^\S+\s+(on|off)(\s|#|;|$)/.test(line);
}

/** Words, quoted ones without their quotes; `marks` stand for themselves. */
interface Token {
  readonly text: string;
  readonly isMark: boolean;
}

/** Its quoted strings know these escapes. */
const ESCAPES: Readonly<Record<string, string>> = {
  n: "\n",
  r: "\r",
  t: "\t",
};

/**
 * The words of an entry up to its `;`.
 *
 * @returns undefined where there is none, or a quoted word does not end
 */
export function keyedEnd(
  text: string,
): { tokens: readonly Token[]; length: number } | undefined {
  const tokens: Token[] = [];
  const pattern =
    /\s+|#.*|([=,;])|"((?:[^"\\]|\\[^])*)"|'((?:[^'\\]|\\[^])*)'|[^\s=,;"'#]+/y;
  for (let match; (match = pattern.exec(text)) !== null;) {
    const [whole, mark, double, single] = match;
    if (mark === ";") return { tokens, length: pattern.lastIndex };
    const quoted = double ?? single;
    if (mark !== undefined) tokens.push({ text: mark, isMark: true });
    else if (quoted !== undefined) {
      tokens.push({ text: unescaped(quoted), isMark: false });
    } else if (/^[^\s#]/.test(whole)) {
      tokens.push({ text: whole, isMark: false });
    }
  }
}

function unescaped(text: string): string {
  return text.replaceAll(
    /\\(x[0-9a-f]{2}|[^])/gi,
    (_, code: string) =>
      /^x../i.test(code)
        ? String.fromCharCode(parseInt(code.slice(1), 16))
        : ESCAPES[code] ?? code,
  );
}

/** The entry that such words are. */
export function keyedEntry(
  tokens: readonly Token[],
  place: Place,
  hosts: readonly string[],
): InetdEntry {
  const [spec, state, ...rest] = tokens;
  const { values, faults } = keysOf(rest);
  const word = (key: string) => values.get(key)?.[0];
  const number = (key: string) => {
    const text = word(key);
    if (text === undefined) return undefined;
    if (/^\d{1,6}$/.test(text)) return Number(text);
    faults.push(`${key} = ${text} is no number`);
  };
  const bind = word("bind");
  const server = word("exec") ?? "internal";
  const args = values.get("args") ?? [];
  const ipsec = word("ipsec");
  if (ipsec) faults.push("it is under an IPsec policy");
  return {
    place,
    service: spec?.text ?? "",
    hosts: bind === undefined ? hosts : hostList(bind),
    socket: word("socktype") ?? "",
    protocol: word("protocol") ?? "tcp",
    isOn: state?.text === "on",
    waits: word("wait") !== "no",
    limits: {
      connections: number("accept_max"),
      perMinute: number("service_max"),
      perSourceAndMinute: number("ip_max"),
    },
    user: word("user") ?? "",
    group: word("group"),
    loginClass: undefined,
    server,
    name: args[0] ?? basename(server),
    args: args.slice(1),
    faults,
  };
}

const KEYS = "bind socktype acceptfilter accept_max protocol sndbuf recvbuf " +
  "wait service_max ip_max user group exec args ipsec";

function keysOf(
  tokens: readonly Token[],
): { values: ReadonlyMap<string, readonly string[]>; faults: string[] } {
  const values = new Map<string, string[]>();
  const faults: string[] = [];
  let current: string[] | undefined;
  for (const [index, { text, isMark }] of tokens.entries()) {
    if (isMark && text === ",") current = undefined;
    else if (isMark) {
      if (current === undefined || current.length > 0) {
        faults.push(`${text} stands at the wrong place`);
      }
    } else if (current !== undefined) current.push(text);
    else if (!KEYS.split(" ").includes(text)) faults.push(`no key is ${text}`);
    else if (values.has(text)) faults.push(`${text} stands twice`);
    else {
      const next = tokens[index + 1];
      if (!next?.isMark || next.text !== "=") {
        faults.push(`${text} lacks its =`);
      }
      values.set(text, current = []);
    }
  }
  return { values, faults };
}
