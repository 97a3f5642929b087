import type { Random } from "../tests/support/random.ts";
import { ask, type ServiceLink } from "./link.ts";
import type { Generation } from "./table.ts";
import type { Watch } from "./watch.ts";

const BUSY = "-Server busy, try again later";

/** What one client knows of the server, and where it counts. */
export class World {
  readonly counts = {
    exchanges: 0,
    aborts: 0,
    busy: 0,
    bytesSent: 0,
    bytesReceived: 0,
  };
  /** What the server was last told; a reload may be under way. */
  generation: Generation = { number: 0, tight: false };
  /** Of the server under test. */
  port = 0;
  /** When the last tight table was replaced. */
  #tightUntil = -Infinity;
  readonly watch: Watch;
  readonly faults: string[] = [];

  constructor(makeWatch: (fault: (what: string) => void) => Watch) {
    this.watch = makeWatch((what) => this.fault(what));
  }

  fault(what: string): void {
    this.faults.push(`${new Date().toISOString()} ${what}`);
  }

  /** The new table is in force. */
  reloaded(before: Generation): void {
    if (before.tight) this.#tightUntil = performance.now();
  }

  /**
   * Asks for a service.
   *
   * @param mayBeBusy whether the service has a limit of its own
   * @returns undefined where the server is busy, as it may be now
   */
  async ask(
    service: string,
    random: Random,
    { early, mayBeBusy = false }: { early?: Uint8Array; mayBeBusy?: boolean } =
      {},
  ): Promise<ServiceLink | undefined> {
    const begun = performance.now();
    let link: ServiceLink;
    try {
      link = await ask(this.port, service, random, early);
    } catch (error) {
      if (this.isTight(begun)) {
        this.counts.busy++; // it hangs up where too many are being refused
        return undefined;
      }
      throw error;
    }
    this.watch.began(link.port);
    if (link.reply !== BUSY) return link;
    link.conn.close();
    this.counts.busy++;
    if (mayBeBusy || this.isTight(begun)) return undefined;
    throw new Error(`${service}: busy, though there is room`);
  }

  /** Whether the server has had too little room at any time since then. */
  isTight(since: number): boolean {
    return this.generation.tight || this.#tightUntil >= since;
  }
}

export function assertIs(found: unknown, expected: unknown, what: string) {
  if (found === expected) return;
  throw new Error(
    `${what}: ${JSON.stringify(found)}, not ${JSON.stringify(expected)}`,
  );
}
