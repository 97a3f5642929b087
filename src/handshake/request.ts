/** Reads requests. The handshakes of TCPMUX and of forwards stand here, too. */
import { TcpmuxError } from "../errors.ts";
import { malformed, type Refusal, REFUSALS } from "../policy/refusal.ts";
import type { ListenerSpec, Service } from "../table/service.ts";
import type { TimerList } from "../timers.ts";
import type { Conn } from "../transport/transport.ts";
import { negative, positive, RequestReader } from "../wire.ts";
import { beginsTls } from "./client_hello.ts";
import type { Handshake, HandshakeResult, HandshakeStep } from "./handshake.ts";
import { ProxyHandshake } from "./proxy.ts";
import { TLS_REQUIRED, type TlsEnds, TlsStep } from "./tls_step.ts";

const NOTHING: Uint8Array = new Uint8Array(0);

/** Reads a client's request, until it is complete or the client is refused. */
export class RequestReading {
  readonly handshake: Handshake;
  /** Bytes that the client has sent behind its request. */
  early: Uint8Array;
  /** The connection that the client is served by: behind TLS, the inner one. */
  client: Conn;
  /** What comes before the request, until it is done. */
  #before: TlsStep | undefined;
  #isReading = false;
  #refusal: Refusal | undefined;

  /** @param early bytes that were read already */
  constructor(
    client: Conn,
    listener: ListenerSpec,
    tls?: TlsEnds,
    early = NOTHING,
  ) {
    this.client = client;
    this.early = early;
    this.#before = tls && new TlsStep(tls);
    switch (listener.protocol) {
      case "tcpmux":
        this.handshake = new TcpmuxHandshake();
        break;
      case "forward":
        this.handshake = new ForwardHandshake(listener.service);
        break;
      case "proxy":
        this.handshake = new ProxyHandshake(listener);
    }
  }

  /** Ends the reading, if it is under way: `read` resolves with this refusal. */
  refuse(refusal: Refusal): void {
    if (!this.#isReading) return;
    this.#refusal ??= refusal;
    const error = new TcpmuxError("cancelled", refusal.reason);
    (this.#before ?? this.client).interrupt(error);
  }

  /** What a client is told that is refused; nothing where it expects TLS. */
  rejection(why: Refusal): Uint8Array {
    return this.#before === undefined || why === TLS_REQUIRED
      ? this.handshake.rejection(why)
      : NOTHING;
  }

  /**
   * @param limit milliseconds, after which the client is refused; 0 for none
   * @returns what the handshake has led to, or the refusal that ended it
   */
  async read(timers: TimerList, limit: number): Promise<HandshakeResult> {
    const { handshake } = this;
    const timer = timers.after(limit, () => {
      this.refuse(this.#before?.tooSlow ?? handshake.tooSlow);
    });
    this.#isReading = true;
    try {
      const over = this.#before && await this.#pass(this.#before);
      if (over !== undefined) return over;
      const { client } = this;
      for (let step = handshake.push(this.early);;) {
        if (this.#refusal !== undefined) return this.#refusal;
        if (step.kind === "more") step = handshake.push(await client.read());
        else if (step.kind === "answer") {
          await client.write(step.bytes);
          step = handshake.push(NOTHING);
        } else {
          this.early = "early" in step ? step.early : NOTHING;
          return step;
        }
      }
    } catch (error) {
      if (this.#refusal === undefined) throw error;
      return this.#refusal;
    } finally {
      timer?.cancel();
      this.#isReading = false;
    }
  }

  /** @returns undefined where the request comes next */
  async #pass(step: TlsStep): Promise<HandshakeResult | undefined> {
    const passed = await step.run(this.client, this.early);
    if (passed.kind !== "secured") return passed;
    this.client = passed.conn;
    this.early = NOTHING;
    this.#before = undefined;
    return passed.refusal;
  }
}

/** The reason in the log where the line begins as TLS does. */
const TLS_HERE = "the client begins TLS, which this listener does not speak " +
  "(connect without it, or listen on tls://)";

/** RFC 1078: the client sends a name, and the server answers one line. */
export class TcpmuxHandshake implements Handshake {
  readonly tooSlow = REFUSALS.slow;
  readonly #reader = new RequestReader();

  push(bytes: Uint8Array | null): HandshakeStep {
    if (bytes === null) {
      return this.#reader.started ? REFUSALS.cutShort : { kind: "silence" };
    }
    const state = this.#reader.push(bytes);
    if (state.state === "malformed") {
      const isTls = bytes.length > 1 && beginsTls(bytes);
      return malformed(state.code, isTls ? TLS_HERE : state.why);
    }
    if (state.state === "more") return { kind: "more" };
    return { kind: "name", name: state.name, early: state.rest };
  }

  acceptance(message: string): Uint8Array {
    return positive(message);
  }

  rejection(why: Refusal): Uint8Array {
    return negative(why.text);
  }
}

/**
 * A handshake without bytes, for clients that know nothing of TCPMUX. Closing
 * the connection is the refusal; the log has the reason.
 */
export class ForwardHandshake implements Handshake {
  readonly tooSlow = REFUSALS.slow;
  readonly #service: Service;

  constructor(service: Service) {
    this.#service = service;
  }

  push(early: Uint8Array): HandshakeStep {
    return { kind: "service", service: this.#service, early };
  }

  acceptance(): Uint8Array {
    return NOTHING;
  }

  rejection(): Uint8Array {
    return NOTHING;
  }
}
