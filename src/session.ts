import { ListNode } from "./linked_list.ts";
import { ClientConn } from "./client_conn.ts";
import type { Endpoint } from "./endpoint.ts";
import { isDisconnect, messageOf, TcpmuxError } from "./errors.ts";
import { type Handshake, type Heard, NOTHING } from "./handshake/handshake.ts";
import { handshakeAt } from "./handshake/meet.ts";
import { decide, decideOn, type Refusal } from "./policy/decide.ts";
import type { Slot } from "./policy/limits.ts";
import type { Offence } from "./policy/penalties.ts";
import type { Reception } from "./reception.ts";
import { type Outcome, type Recorded, recordOf } from "./record.ts";
import type { Told } from "./relay.ts";
import { openService } from "./services/open.ts";
import type {
  Ongoing,
  Opened,
  Premises,
  ServiceContext,
} from "./services/opened.ts";
import type { Service } from "./table/service.ts";
import { Ending } from "./transport/cancel.ts";
import { DONE } from "./transport/done.ts";
import type { Conn } from "./transport/transport.ts";
import { limitsOf, type TimeLimits } from "./time_limits.ts";
import { after } from "./timers.ts";
import { joined } from "./wire.ts";

/** What is not there and what is forbidden are one to a stranger. */
const OFFENCES: Partial<Record<Outcome, Offence>> = {
  unknown: "unknown",
  denied: "unknown",
  malformed: "malformed",
  timeout: "unfinished",
};

/**
 * One connection, from its acceptance to its record. The connection is closed
 * when it is done.
 */
export class Session extends ListNode
  implements ServiceContext, Recorded, Told {
  readonly id: number;
  readonly begin = performance.now();
  service: Service | undefined;
  #client: ClientConn;
  #reception: Reception;
  #handshake: Handshake;
  #slot: Slot;
  /** While it has not named a service. */
  #draining: Ending | undefined;
  #ending: Ending | undefined;
  #dialled: (() => void)[] | undefined;
  #watch: TimeLimits | undefined;
  #ongoing: Ongoing | undefined;
  #stopped: { outcome: Outcome; reason: string } | undefined;
  #closed = false;

  constructor(id: number, conn: Conn, reception: Reception, slot: Slot) {
    super();
    this.id = id;
    this.#client = new ClientConn(conn);
    this.#reception = reception;
    this.#handshake = handshakeAt(reception.door);
    this.#slot = slot;
  }

  start(): void {
    this.#run();
  }

  /** Ends the session at once, whatever it is doing. */
  stop(outcome: Outcome, reason: string): void {
    this.#stopped ??= { outcome, reason };
    this.#client.abort();
    this.#ending?.abort();
    this.#ongoing?.end();
  }

  /** The server stops: one that has not named a service yet is refused. */
  drain(): void {
    this.#draining?.abort();
  }

  /** The path of one connection, top to bottom. It is never rejected. */
  async #run(): Promise<void> {
    const { table, identities, passes } = this.#reception;
    const client = this.#client;
    const slot = this.#slot;
    try {
      if (slot.verdict === "drop") return this.#drop();
      if (slot.refusal !== undefined) return await this.#refuse(slot.refusal);

      const heard = await this.#hear();
      this.#draining = undefined;
      if (heard.kind === "silence") {
        return this.#finish("aborted", "the client sent nothing");
      }
      if (heard.kind === "refuse") return await this.#refuse(heard);

      const asking = { remote: client.remote, now: Date.now() };
      const decision = heard.kind === "serve"
        ? decideOn(table, heard.service, asking)
        : decide(table, heard.name, asking);
      if (decision.kind === "help") return await this.#help(decision.text);
      if (decision.kind === "refuse") return await this.#refuse(decision);
      const { service } = decision;
      this.service = service;

      const full = await passes.refusalOf(client) ?? slot.admit(service);
      if (full !== undefined) return await this.#refuse(full);
      const opened = await openService(service, this, identities.get(service));
      if (opened.kind === "refuse") return await this.#refuse(opened);

      this.#watch = limitsOf(service, client, this);
      try {
        await client.say(this.#greeting(opened));
      } catch (error) {
        await opened.discard();
        throw error;
      }
      client.beginService(opened.first?.length);
      const serving = opened.serve(client, this);
      if (serving instanceof Promise) this.over(await serving);
      else this.#goOn(serving);
    } catch (error) {
      this.broke(error);
    }
  }

  /** Nothing waits for its end, and what it took to come here is let go. */
  #goOn(ongoing: Ongoing): void {
    this.#ongoing = ongoing;
    this.#ending = undefined;
    if (this.#stopped !== undefined) ongoing.end();
  }

  /** The service is. */
  over(note?: string | void): void {
    this.#watch?.stop();
    this.#finish("served", note ?? "");
  }

  #hear(): Promise<Heard> {
    this.#draining = new Ending();
    return this.#handshake.hear(this.#client, {
      timeout: this.#reception.table.server.handshakeTimeout,
      draining: this.#draining,
    });
  }

  /** Comes when the session must end at once. */
  get ending(): Ending {
    if (this.#ending !== undefined) return this.#ending;
    this.#ending = new Ending();
    if (this.#stopped !== undefined) this.#ending.abort();
    return this.#ending;
  }

  get local(): Endpoint {
    return this.#client.local;
  }

  get remote(): Endpoint {
    return this.#client.remote;
  }

  get fromSource(): number {
    return this.#slot.fromSource;
  }

  get premises(): Premises {
    return this.#reception;
  }

  dialling(to: Endpoint, upstream: Promise<Conn>): void {
    const over = this.#reception.passes.opening(this.remote, to, upstream);
    if (over !== undefined) (this.#dialled ??= []).push(over);
  }

  /** The reply line, and with it what the service says at once. */
  #greeting({ message, first = NOTHING }: Opened): Uint8Array {
    if (message === undefined) return NOTHING;
    return joined(this.#handshake.accepted(message), first);
  }

  async #refuse(why: Refusal): Promise<void> {
    const offence = OFFENCES[why.outcome];
    if (offence !== undefined) this.#slot.blame(offence);
    await this.#client.say(this.#handshake.refused(why));
    this.#client.beginService();
    this.#finish(why.outcome, why.reason);
  }

  async #help(text: Uint8Array): Promise<void> {
    this.#client.beginService();
    // It is still a handshake: who does not read it must not keep its slot.
    const limit = this.#reception.table.server.handshakeTimeout;
    const timeout = limit === 0 ? undefined : after(limit, () => {
      this.stop("timeout", "HELP was not read within handshake_timeout");
    });
    try {
      await this.#client.say(text);
      this.#client.sent(text.length);
    } finally {
      timeout?.cancel();
    }
    this.#finish("help", "");
  }

  #drop(): void {
    this.#client.abort();
    this.#close("busy", "too many refusals are on their way");
  }

  broke(error: unknown): void {
    this.#client.abort();
    if (isDisconnect(error)) return this.#close("aborted", messageOf(error));
    this.#close("failed", messageOf(error));
    if (error instanceof TcpmuxError || this.#stopped !== undefined) return;
    this.#reception.log("error", "a service threw", {
      conn: this.id,
      service: this.service?.name,
      stack: error instanceof Error ? error.stack : String(error),
    });
  }

  /** Closes when what was written has arrived. */
  #finish(outcome: Outcome, reason: string): void {
    const finishing = this.#client.finish();
    if (finishing === DONE) this.#close(outcome, reason);
    else this.#closeAfter(finishing, outcome, reason);
  }

  async #closeAfter(
    finishing: Promise<void>,
    outcome: Outcome,
    reason: string,
  ): Promise<void> {
    await finishing;
    this.#close(outcome, reason);
  }

  /** It is all over; the first word counts. */
  #close(outcome: Outcome, reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#watch?.stop();
    for (const over of this.#dialled ?? []) over();
    this.#slot.release();
    const end = this.#stopped ?? { outcome, reason };
    const record = recordOf(this, end.outcome, end.reason, this.#client);
    this.#reception.ended(this, record);
  }
}
