/**
 * One entry of an inetd.conf, whatever its dialect, and how it is read where it
 * is a line (inetd.conf(5)).
 */
import { basename } from "node:path";
import type { Place, Report } from "../report.ts";
import { type Line, linesOf, type Source } from "../sources.ts";

export type InetdFlavour = "freebsd" | "netbsd" | "gnu";

export interface InetdEntry {
  readonly place: Place;
  /** Without addresses: `tcpmux`, `tcpmux/+NAME`, `ftp`. */
  readonly service: string;
  /** The addresses that it listens on; none for all. */
  readonly hosts: readonly string[];
  readonly socket: string;
  /** Such as `tcp6` or `tcp/ttcp`. */
  readonly protocol: string;
  readonly isOn: boolean;
  readonly waits: boolean;
  readonly limits: InetdLimits;
  readonly user: string;
  readonly group: string | undefined;
  readonly loginClass: string | undefined;
  /** Absolute, or `internal`. */
  readonly server: string;
  /** The name that the program is called by. */
  readonly name: string;
  readonly args: readonly string[];
  /** What inetd does not take. */
  readonly faults: readonly string[];
}

/** Undefined, as 0, is no limit. */
export interface InetdLimits {
  readonly connections?: number | undefined;
  readonly perMinute?: number | undefined;
  readonly perSource?: number | undefined;
  readonly perSourceAndMinute?: number | undefined;
}

/** The lines of entries: without comments, each with those that continue it. */
export function entryLines(
  source: Source,
  flavour: InetdFlavour,
): Line[] {
  const lines: Line[] = [];
  for (const { place, text } of linesOf(source)) {
    if (text.trim() === "" || /^#(?!@)/.test(text)) continue;
    const last = lines.at(-1);
    const continues = flavour !== "gnu" && /^\s/.test(text) &&
      last !== undefined && !last.text.startsWith("#@");
    if (continues) {
      lines.splice(-1, 1, { ...last, text: `${last.text}\n${text.trim()}` });
    } else lines.push({ place, text: text.trim() });
  }
  return lines;
}

/** Reads one such line after the other; some hold for those that follow. */
export class InetdLines {
  /** Set by a line with `ADDRESS:` alone. */
  hosts: readonly string[] = [];
  /** Whether an IPsec policy is set, by `#@`. */
  #hasPolicy = false;
  readonly #flavour: InetdFlavour;
  readonly #report: Report;

  constructor(flavour: InetdFlavour, report: Report) {
    this.#flavour = flavour;
    this.#report = report;
  }

  /** Undefined for a line that is no entry, which is in the report. */
  read({ place, text }: Line): InetdEntry | undefined {
    const flavour = this.#flavour;
    if (text.startsWith("#@")) return this.#setPolicy(text, place);
    if (flavour !== "freebsd" && /^\S+:$/.test(text)) {
      this.hosts = hostList(text.slice(0, -1));
      return;
    }
    const words = wordsOf(text, flavour);
    const [spec = "", socket = "", protocol = "", wait = "", user = ""] = words;
    const [server, name, ...args] = words.slice(5);
    if (server === undefined) {
      this.#report.add(
        "dropped",
        place,
        "it is no entry: it has too few words",
      );
      return;
    }
    const faults = this.#hasPolicy ? ["it is under an IPsec policy"] : [];
    const { service, hosts } = addressed(spec, flavour);
    const waiting = waitOf(wait, flavour);
    if (waiting === undefined) {
      faults.push(`${wait} is neither wait nor nowait`);
    }
    return {
      place,
      service,
      hosts: hosts ?? this.hosts,
      socket: socket.replace(/[,:].*$/, ""),
      protocol: protocol.replace(/,.*$/, ""),
      isOn: true,
      waits: waiting?.waits ?? true,
      limits: waiting?.limits ?? {},
      ...userOf(user, flavour),
      server,
      name: name ?? basename(server),
      args,
      faults,
    };
  }

  #setPolicy(text: string, place: Place): undefined {
    this.#hasPolicy = text.slice(2).trim() !== "";
    this.#report.add(
      "dropped",
      place,
      "IPsec policies belong to the system, and not to a table" +
        (this.#hasPolicy ? "; what follows is closed" : ""),
    );
  }
}

/**
 * The words of a line, as each inetd cuts them: a group is what stands in
 * quotes. For FreeBSD and GNU a quote that opens begins a word, and one that
 * closes ends it; where none closes, all the rest is one word.
 */
const WORDS: Readonly<Record<InetdFlavour, RegExp>> = {
  freebsd: /"([^"\n]*)"?|'([^'\n]*)'?|\S+/g,
  gnu: /"([^"]*)"|'([^']*)'|["'].*|[^\s"]+/g,
  netbsd: /(?:[^\s"']|"[^"]*"|'[^']*'|["'])+/g,
};

function wordsOf(text: string, flavour: InetdFlavour): string[] {
  const words = [...text.matchAll(WORDS[flavour])];
  if (flavour === "netbsd") {
    return words.map(([word]) =>
      word.replaceAll(
        /"([^"]*)"|'([^']*)'/g,
        (_, double, single) => double ?? single,
      )
    );
  }
  return words.map(([word, double, single]) => double ?? single ?? word);
}

/** `ADDRESS:SERVICE`, where the dialect has it. */
function addressed(
  spec: string,
  flavour: InetdFlavour,
): { service: string; hosts?: readonly string[] } {
  const [, hosts, service] = flavour === "freebsd"
    ? []
    : /^(.*):([^:\]]+)$/.exec(spec) ?? [];
  return service === undefined
    ? { service: spec }
    : { service, hosts: hostList(hosts!) };
}

/** None for `*`. */
export function hostList(text: string): string[] {
  return text.split(/,(?![^[]*\])/)
    .map((host) => host.replace(/^\[(.*)\]$/, "$1"))
    .filter((host) => host !== "*" && host !== "");
}

/** Undefined for what is neither. */
function waitOf(
  word: string,
  flavour: InetdFlavour,
): { waits: boolean; limits: InetdLimits } | undefined {
  const pattern = flavour === "freebsd"
    ? /^(no)?wait(?:\/(\d{1,6}))?(?:\/(\d{1,6}))?(?:\/(\d{1,6}))?$/
    : /^(no)?wait(?:[.:](\d{1,6}))?$/;
  const match = pattern.exec(word);
  if (match === null) return;
  const [first, second, third] = match.slice(2).map((digits) =>
    digits === undefined ? undefined : Number(digits)
  );
  return {
    waits: match[1] === undefined,
    limits: flavour === "freebsd"
      ? { connections: first, perSourceAndMinute: second, perSource: third }
      : { perMinute: first },
  };
}

/** `USER[:GROUP][/CLASS]`, or `USER.GROUP` where the dialect has it. */
function userOf(
  text: string,
  flavour: InetdFlavour,
): Pick<InetdEntry, "user" | "group" | "loginClass"> {
  const [owner = "", loginClass] = flavour === "freebsd"
    ? text.split("/")
    : [text];
  const [, user = owner, group] =
    (flavour === "freebsd" ? /^([^:]*):(.*)$/ : /^([^:.]*)[:.](.*)$/).exec(
      owner,
    ) ?? [];
  return { user, group, loginClass };
}
