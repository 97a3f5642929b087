/** Reads requests. The handshakes of TCPMUX and of forwards stand here, too. */
import { TcpmuxError } from "../errors.ts";
import { malformed, type Refusal, REFUSALS } from "../policy/refusal.ts";
import type { ListenerSpec, Service } from "../table/service.ts";
import type { TimerList } from "../timers.ts";
import type { Conn } from "../transport/transport.ts";
import { negative, positive, RequestReader } from "../wire.ts";
import type { Handshake, HandshakeResult, HandshakeStep } from "./handshake.ts";
import { ProxyHandshake } from "./proxy.ts";

const NOTHING: Uint8Array = new Uint8Array(0);

/** Reads a client's request, until it is complete or the client is refused. */
export class RequestReading {
  readonly handshake: Handshake;
  /** Bytes that the client has sent behind its request. */
  early: Uint8Array;
  readonly #client: Conn;
  #isReading = false;
  #refusal: Refusal | undefined;

  /** @param early bytes that were read already */
  constructor(client: Conn, listener: ListenerSpec, early = NOTHING) {
    this.#client = client;
    this.early = early;
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
    this.#client.interrupt(new TcpmuxError("cancelled", refusal.reason));
  }

  /**
   * @param limit milliseconds, after which the client is refused; 0 for none
   * @returns what the handshake has led to, or the refusal that ended it
   */
  async read(timers: TimerList, limit: number): Promise<HandshakeResult> {
    const [client, handshake] = [this.#client, this.handshake];
    const timer = timers.after(limit, () => this.refuse(handshake.tooSlow));
    this.#isReading = true;
    try {
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
}

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
      return malformed(state.code, state.why);
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
