import { drain } from "./drain.ts";
import { type Endpoint, formatEndpoint, type Peer } from "./endpoint.ts";
import { messageOf, stackOf, TcpmuxError } from "./errors.ts";
import type { Handshake, HandshakeResult } from "./handshake/handshake.ts";
import { ProxyHeaderStep } from "./handshake/proxy_header.ts";
import { RequestReading } from "./handshake/request.ts";
import { ListNode } from "./linked_list.ts";
import type { ListenerContext } from "./listener_context.ts";
import { decide, type NotServed } from "./policy/decide.ts";
import type { Slot } from "./policy/limits.ts";
import { offenceOf } from "./policy/penalties.ts";
import type { EndCode } from "./policy/ending.ts";
import { type Refusal, REFUSALS, unavailable } from "./policy/refusal.ts";
import { type Ended, endOf, type Recorded } from "./record.ts";
import { Relay } from "./relay.ts";
import { shorterLimit, type TimeLimit } from "./relay_options.ts";
import { openService } from "./services/open.ts";
import type {
  Held,
  OpenedService,
  RunningService,
  SessionContext,
} from "./services/service.ts";
import type { Service } from "./table/service.ts";
import { timeLeft, type Timer } from "./timers.ts";
import { closedHere } from "./transport/errno.ts";
import type { Conn } from "./transport/transport.ts";
import { joined, piecesOf } from "./wire.ts";

/** Bytes that the system takes at once from a new connection, at the least. */
const TAKEN_AT_ONCE = 1024;

type NoService = NotServed | { readonly kind: "silence" };

/** One connection, from its acceptance to its record. */
export class Session extends ListNode implements SessionContext, Recorded {
  readonly id: number;
  readonly begin = performance.now();
  served = 0;
  readonly server: ListenerContext;
  peer: Peer;
  service: Service | undefined = undefined;
  upstream: Endpoint | undefined = undefined;
  requested: string | undefined = undefined;
  namedBy: Recorded["namedBy"] = undefined;
  uniqueId: string | undefined = undefined;
  bytesIn = 0;
  bytesOut = 0;
  lastMoved = 0;
  /** The connection that carries the request: behind TLS, the inner one. */
  #client: Conn;
  #slot: Slot;
  /** The step that reads from the client: the PROXY header, its request. */
  #request: Pick<RequestReading, "early" | "refuse"> | undefined = undefined;
  #held: Held | undefined = undefined;
  #maxDuration: Timer | undefined = undefined;
  #stopped: Ended | undefined = undefined;

  constructor(id: number, client: Conn, server: ListenerContext, slot: Slot) {
    super();
    this.id = id;
    this.#client = client;
    this.peer = client;
    this.server = server;
    this.#slot = slot;
  }

  /** The path of one connection. The promise is never rejected. */
  async run(): Promise<void> {
    let running: RunningService | undefined;
    let ended: Ended;
    try {
      const begun = await this.#begin();
      if ("code" in begun) ended = begun;
      else {
        running = begun;
        const { conn, inputOver } = running;
        if (conn !== undefined) {
          const early = this.#request!.early;
          this.#request = undefined;
          await new Relay({
            client: this.#client,
            service: conn,
            counters: this,
            limits: this.service!,
            timers: this.server.transport.timers,
          }).run(early, inputOver);
        }
        const finishing = running.finish?.();
        const reason = finishing && await this.#finish(finishing, running.conn);
        ended = { code: "ok", reason: reason ?? "" };
      }
    } catch (error) {
      ended = await this.#broken(error, running);
    }
    this.#maxDuration?.cancel();
    ended = this.#stopped ?? ended;
    const client = this.#client;
    // A client that has ended its side and has got everything needs no drain.
    const hasAll = client.end === null && ended.code === "ok";
    if (hasAll || client.end instanceof Error) client.close();
    else await drain(client, this.server.transport.timers);
    this.#slot.release();
    this.server.ended(this, ended);
  }

  /** As far as the relay; in a frame of its own, as thousands wait in `run`. */
  async #begin(): Promise<RunningService | Ended> {
    const { announced, table, identities, transport } = this.server;
    let { handshakeTimeout: limit } = table.server;
    if (announced !== undefined && this.#slot.refusal === undefined) {
      const header = this.#request = new ProxyHeaderStep(this, this.#client);
      const ended = await header.read();
      if (ended !== undefined) return ended;
      this.#slot = announced(this.#slot, this.peer);
      limit = timeLeft(limit, this.begin);
    }
    const request = new RequestReading(this, this.#client, this.#request);
    this.#request = request;
    const result = this.#slot.refusal ??
      await request.read(transport.timers, limit);
    this.#client = request.client;
    let opened: NoService | OpenedService | undefined = this.#choose(result);
    const service = this.service!; // there, where it is opened
    try {
      opened ??= await openService(service, this, identities.get(service));
    } catch (error) {
      this.#logFault(error);
      opened = unavailable(messageOf(error));
    }
    if (opened.kind !== "opened") return await this.#answer(opened, request);
    try {
      if (this.#stopped !== undefined) throw closedHere();
      await this.#reply(opened, request.handshake);
    } catch (error) {
      await opened.abort();
      throw error;
    }
    this.bytesOut = opened.first?.length ?? 0;
    this.served = performance.now();
    const client = this.#client;
    const running = "begin" in opened ? await opened.begin(client) : opened;
    this.hold(running);
    const remote = formatEndpoint(this.peer.remote);
    const { id: conn, server } = this;
    const fields = { conn, remote, service: service.name, pid: running.pid };
    server.log("debug", "session", fields);
    return running;
  }

  /** @returns undefined where the client gets a service, which is set */
  #choose(result: HandshakeResult): NoService | undefined {
    if (result.kind !== "name" && result.kind !== "service") return result;
    const { table, transport, switchedOff } = this.server;
    if (result.kind === "service") this.requested = result.requested;
    const asked = result.kind === "name" ? result.name : result.service;
    const asking = { peer: this.peer, now: Date.now(), switchedOff };
    const decision = decide(table, asked, asking);
    if (decision.kind !== "serve") return decision;
    const service = this.service = decision.service;
    const refusal = this.#slot.admit(service);
    if (refusal !== undefined) return refusal;
    this.#maxDuration = transport.timers.after(service.maxDuration, this);
  }

  /** Writes the acceptance, and what the service says first. */
  #reply(
    { message, first }: OpenedService,
    handshake: Handshake,
  ): Promise<void> | void {
    if (message === undefined) return;
    const line = handshake.acceptance(message);
    const reply = first === undefined ? line : joined(line, first);
    if (reply.length > TAKEN_AT_ONCE) return this.#writeMuch(reply);
    return this.#client.write(reply);
  }

  /** In pieces: a client that reads slowly takes each one within the limit. */
  async #writeMuch(bytes: Uint8Array): Promise<void> {
    const limit = shorterLimit(this.service!, "stallTimeout", "idleTimeout");
    for (const piece of piecesOf(bytes)) {
      await this.#inTime(limit, this.#client.write(piece));
    }
  }

  /** A service may work on when all is said, but not for ever. */
  #finish(finishing: Promise<string>, conn?: Conn): Promise<string> {
    const limit = shorterLimit(
      this.service!,
      "idleTimeout",
      "halfClosedTimeout",
    );
    // Without a relay nobody knows whether bytes move: no limit then.
    return conn === undefined ? finishing : this.#inTime(limit, finishing);
  }

  /** Answers a client that gets no service. */
  async #answer(answer: NoService, request: RequestReading): Promise<Ended> {
    switch (answer.kind) {
      case "silence":
        return { code: "silence", reason: "the client sent nothing" };
      case "help": {
        // A client that does not read must not keep its slot as a handshake.
        const { handshakeTimeout: time } = this.server.table.server;
        const reason = "the client did not read HELP within handshake_timeout";
        const writing = this.#client.write(answer.text);
        await this.#inTime({ time, code: "timeout", reason }, writing);
        this.bytesOut = answer.text.length;
        return { code: "help", reason: "" };
      }
      case "refuse":
        return this.#refuse(answer, request);
    }
  }

  #refuse(refusal: Refusal, request: RequestReading): Ended {
    const { code, outcome, reason } = refusal;
    if (this.#slot.verdict === "drop") {
      this.#client.abort();
      return { code, reason: "no reply: too many refusals pending" };
    }
    const offence = offenceOf(outcome);
    if (offence !== undefined) this.#slot.blame(offence);
    // The write is not awaited: the drain waits for it, for a bounded time.
    this.#client.write(request.rejection(refusal)).catch(() => {});
    return { code, reason };
  }

  /** Waits for work, and stops the session when that takes too long. */
  #inTime<T>({ time, code, reason }: TimeLimit, work: Promise<T>): Promise<T> {
    const { timers } = this.server.transport;
    return timers.within(time, work, () => this.stop(code, reason));
  }

  /** A side broke off, a deadline was missed, or something has a fault. */
  async #broken(
    thrown: unknown,
    running: RunningService | undefined,
  ): Promise<Ended> {
    let error = thrown;
    this.#client.abort();
    this.#held?.abort();
    try {
      await running?.finish?.();
    } catch (ownError) {
      // A program's own error says more than the wire that broke because of it.
      if (endOf(error).code === "aborted") error = ownError;
    }
    const end = endOf(error);
    const isFault = end.code === "failed" && !(error instanceof TcpmuxError);
    if (isFault) this.#logFault(error);
    const isUsual = end.code === "aborted" && running?.endsWithClient;
    return isUsual ? { code: "ok", reason: "" } : end;
  }

  /** An error of a service that was stopped is no fault, and is not logged. */
  #logFault(error: unknown): void {
    if (this.isStopped) return;
    this.server.log("error", "a service threw an error", {
      conn: this.id,
      service: this.service?.name,
      stack: stackOf(error),
    });
  }

  get early(): Uint8Array {
    return this.#request?.early ?? new Uint8Array(0);
  }

  get fromSource(): number {
    return this.#slot.fromSource;
  }

  get isStopped(): boolean {
    return this.#stopped !== undefined;
  }

  hold(held: Held): void {
    this.#held = held;
    if (this.#stopped !== undefined) held.abort();
  }

  expired(): void {
    this.stop("max_duration", "max_duration expired");
  }

  /** Ends the session at once, whatever it is doing. */
  stop(code: EndCode, reason: string): void {
    this.#stopped ??= { code, reason };
    this.#client.abort();
    this.#held?.abort();
  }

  /** The server begins to stop: a client may not name a service any more. */
  endSoon(mayName = false): void {
    if (!mayName) this.#request?.refuse(REFUSALS.draining);
    this.#held?.stopping?.();
  }
}
