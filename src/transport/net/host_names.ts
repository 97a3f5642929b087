/** Host names: https://nodejs.org/api/dns.html */
import { lookup, Resolver } from "node:dns/promises";
import { readFile } from "node:fs/promises";
import { isIP } from "node:net";

export interface HostNamesOptions {
  /**
   * Threads of the runtime that may wait for the system's resolver at a time.
   * Node has four for all names and files, Bun eight.
   * @default Infinity
   */
  readonly threads?: number;
  /** The file of names that are looked up without a thread: hosts(5). */
  readonly hostsFile?: string;
}

/** Waits for one of the threads; or has its answer already. */
interface Turn {
  readonly begin: () => void;
  isOver: boolean;
}

/**
 * Finds the addresses of host names, so that a name server which does not answer
 * delays only those who have asked for its names. The system's resolver keeps a
 * thread waiting for each name: only few threads wait for it at a time, and
 * while they do, the name servers are asked without it.
 */
export class HostNames {
  readonly #hostsFile: string | undefined;
  /** Equal names are looked up once at a time. */
  readonly #underWay = new Map<string, Promise<readonly string[]>>();
  readonly #turns: Turn[] = [];
  #freeThreads: number;

  constructor({ threads, hostsFile }: HostNamesOptions = {}) {
    this.#freeThreads = threads ?? Infinity;
    this.#hostsFile = hostsFile;
  }

  /**
   * @returns the addresses, the system's first choice first
   * @throws the runtime's error, such as one with code `ENOTFOUND`
   */
  lookup(host: string): Promise<readonly string[]> {
    const name = host.toLowerCase();
    let finding = this.#underWay.get(name);
    if (finding === undefined) {
      const forget = () => this.#underWay.delete(name);
      finding = this.#find(name).finally(forget);
      this.#underWay.set(name, finding);
    }
    return finding;
  }

  async #find(name: string): Promise<readonly string[]> {
    const file = this.#hostsFile;
    const listed = file === undefined ? [] : await inHostsFile(file, name);
    if (listed.length > 0) return listed;
    if (this.#freeThreads > 0) return await this.#bySystem(name);
    let begin = () => {};
    const begun = new Promise<void>((resolve) => begin = resolve);
    const turn: Turn = { begin, isOver: false };
    this.#turns.push(turn);
    const bySystem = begun.then(() => this.#bySystem(name));
    try {
      return await Promise.any([bySystem, byNameServers(name)]);
    } catch {
      return await bySystem; // its error is the one that people know
    } finally {
      turn.isOver = true;
    }
  }

  async #bySystem(name: string): Promise<readonly string[]> {
    this.#freeThreads--;
    try {
      const found = await lookup(name, { all: true });
      return found.map(({ address }) => address);
    } finally {
      this.#freeThreads++;
      while (this.#turns[0]?.isOver) this.#turns.shift();
      this.#turns.shift()?.begin();
    }
  }
}

/** The addresses of a name in such a file, those of IPv6 first (RFC 6724). */
async function inHostsFile(file: string, name: string): Promise<string[]> {
  const text = await readFile(file, "utf8").catch(() => ""); // not everywhere
  const addresses = text.split("\n").flatMap((line) => {
    const [address = "", ...names] = line.replace(/#.*/, "").trim()
      .toLowerCase().split(/\s+/);
    return isIP(address) !== 0 && names.includes(name) ? [address] : [];
  });
  return addresses.toSorted((a, b) => isIP(b) - isIP(a));
}

/** What the name servers of resolv.conf(5) say, without its search list. */
async function byNameServers(name: string): Promise<string[]> {
  const resolver = new Resolver({ timeout: 2_000, tries: 2 });
  const [v6, v4] = await Promise.allSettled([
    resolver.resolve6(name),
    resolver.resolve4(name),
  ]);
  const found = [v6, v4].flatMap((answer) =>
    answer.status === "fulfilled" ? answer.value : []
  );
  if (found.length > 0) return found;
  throw (v4 as PromiseRejectedResult).reason;
}
