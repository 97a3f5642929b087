/**
 * Reads requests. The handshakes of TCPMUX, of forwards, and of clients that send
 * no name stand here, too.
 */
import { TcpmuxError } from "../errors.ts";
import { malformed, type Refusal, REFUSALS } from "../policy/refusal.ts";
import type { ListenerSpec } from "../table/service.ts";
import type { FirstBytes } from "../table/steps/first_bytes.ts";
import type { TimerList } from "../timers.ts";
import type { Conn } from "../transport/transport.ts";
import { joined, negative, positive, RequestReader } from "../wire.ts";
import { beginsTls } from "./client_hello.ts";
import type {
  ChosenService,
  Handshake,
  HandshakeResult,
  HandshakeState,
  NamedRequest,
} from "./handshake.ts";
import { ProxyHandshake } from "./socks_or_http.ts";
import {
  type BeginningTls,
  type ServerTls,
  TLS_REQUIRED,
  TlsStep,
} from "./tls_step.ts";

const NOTHING: Uint8Array = new Uint8Array(0);

/** What the reading needs of a session. */
interface Asking extends BeginningTls {
  readonly server: BeginningTls["server"] & {
    readonly spec: ListenerSpec;
    readonly tls: ServerTls | undefined;
  };
}

/** Reads a client's request, until it is complete or the client is refused. */
export class RequestReading {
  handshake: Handshake;
  /** Bytes that the client has sent behind its request. */
  early: Uint8Array;
  /** The connection that the client is served by: behind TLS, the inner one. */
  client: Conn;
  readonly #session: Asking;
  /** What comes before the request, until it is done. */
  #before: TlsStep | undefined;
  #isReading = false;
  #refusal: Refusal | undefined;

  /** @param before the step that has read bytes already, if there was one */
  constructor(
    session: Asking,
    client: Conn,
    before?: Pick<RequestReading, "early">,
  ) {
    const { spec, tls, table } = session.server;
    const isOptional = spec.endpoint?.tls === "or-plain";
    this.client = client;
    this.early = before?.early ?? NOTHING;
    this.#session = session;
    this.#before = tls && new TlsStep(tls, session, isOptional);
    switch (spec.protocol) {
      case "tcpmux": {
        const { firstBytes } = table.server;
        const line = new TcpmuxHandshake();
        this.handshake = firstBytes === undefined
          ? line
          : new FirstBytesHandshake(firstBytes, line);
        break;
      }
      case "forward":
        this.handshake = new SilentHandshake({
          kind: "service",
          service: spec.service,
        });
        break;
      case "proxy":
        this.handshake = new ProxyHandshake(spec);
    }
  }

  /** Ends the reading, if it is under way: `read` resolves with this refusal. */
  refuse(refusal: Refusal): void {
    if (!this.#isReading) return;
    this.#refusal ??= refusal;
    const error = new TcpmuxError("cancelled", refusal.reason);
    (this.#before ?? this.client).interrupt(error);
  }

  /** The client has taken too long. */
  expired(): void {
    this.refuse(this.#before?.tooSlow ?? this.handshake.tooSlow);
  }

  /** What a client is told that is refused. */
  rejection(why: Refusal): Uint8Array {
    return this.#before?.expectsTls && why !== TLS_REQUIRED
      ? this.#before.rejection
      : this.handshake.rejection(why);
  }

  /**
   * @param limit milliseconds, after which the client is refused; 0 for none
   * @returns what the handshake has led to, or the refusal that ended it
   */
  async read(timers: TimerList, limit: number): Promise<HandshakeResult> {
    const timer = timers.after(limit, this);
    this.#isReading = true;
    try {
      const over = this.#before && await this.#pass(this.#before);
      if (over !== undefined) return over;
      const { client, handshake } = this;
      for (let state = handshake.push(this.early);;) {
        if (this.#refusal !== undefined) return this.#refusal;
        if (state.kind === "more") state = handshake.push(await client.read());
        else if (state.kind === "answer") {
          await client.write(state.bytes);
          state = handshake.push(NOTHING);
        } else {
          this.early = "early" in state ? state.early : NOTHING;
          if ("by" in state) this.#session.namedBy = state.by;
          return state;
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
    if (passed.kind === "plain") {
      this.early = passed.early;
      this.#before = undefined;
      return undefined;
    }
    if (passed.kind !== "secured") return passed;
    this.client = passed.conn;
    const session = this.#session;
    session.peer = { ...session.peer, tls: passed.conn.tls };
    this.early = NOTHING;
    this.#before = undefined;
    const { name, refusal } = passed;
    if (name !== undefined) {
      this.handshake = new SilentHandshake({ kind: "name", name });
    }
    return refusal;
  }
}

/** The reason in the log where the line begins as TLS does. */
const TLS_HERE = "the client begins TLS, which this listener does not speak " +
  "(connect without it, or listen on tls://)";

/** RFC 1078: the client sends a name, and the server answers one line. */
export class TcpmuxHandshake implements Handshake {
  readonly tooSlow = REFUSALS.slow;
  readonly acceptance = positive;
  readonly #reader = new RequestReader();

  push(bytes: Uint8Array | null): HandshakeState {
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

  rejection(why: Refusal): Uint8Array {
    return negative(why.text);
  }
}

/**
 * A handshake without bytes, for clients that know nothing of TCPMUX: their
 * listener has chosen the service, or TLS has named it. Closing the connection
 * is the refusal; the log has the reason.
 */
class SilentHandshake implements Handshake {
  readonly tooSlow = REFUSALS.slow;
  readonly #chosen: Omit<ChosenService, "early"> | Omit<NamedRequest, "early">;

  constructor(
    chosen: Omit<ChosenService, "early"> | Omit<NamedRequest, "early">,
  ) {
    this.#chosen = chosen;
  }

  push(early: Uint8Array): HandshakeState {
    return { ...this.#chosen, early };
  }

  acceptance(): Uint8Array {
    return NOTHING;
  }

  rejection(): Uint8Array {
    return NOTHING;
  }
}

/**
 * A handshake of clients that know nothing of TCPMUX, beside those that do: the
 * first bytes of some protocols name a service, which gets these bytes as well.
 * What begins otherwise is a service line.
 */
export class FirstBytesHandshake implements Handshake {
  readonly #known: readonly FirstBytes[];
  readonly #line: Handshake;
  /** What came, as long as it may be one or the other. */
  #held: Uint8Array | undefined = NOTHING;
  #isNamed = false;

  /** @param known the longest first */
  constructor(known: readonly FirstBytes[], line: Handshake) {
    this.#known = known;
    this.#line = line;
  }

  get tooSlow(): Refusal {
    return this.#line.tooSlow;
  }

  push(bytes: Uint8Array | null): HandshakeState {
    if (this.#held === undefined) return this.#line.push(bytes);
    const early = joined(this.#held, bytes ?? NOTHING);
    const found = this.#find(early, bytes === null);
    if (found === "more") {
      this.#held = early;
      return { kind: "more" };
    }
    this.#held = undefined;
    if (found !== undefined) {
      this.#isNamed = true;
      return { kind: "name", name: found.service, early, by: "first_bytes" };
    }
    const step = this.#line.push(early);
    return bytes === null && step.kind === "more"
      ? this.#line.push(null)
      : step;
  }

  /** The longest that the bytes begin with, once no longer one is possible. */
  #find(bytes: Uint8Array, isAll: boolean): FirstBytes | "more" | undefined {
    for (const one of this.#known) {
      const common = one.bytes.subarray(0, bytes.length);
      if (common.some((byte, index) => byte !== bytes[index])) continue;
      if (common.length === one.bytes.length) return one;
      if (!isAll) return "more";
    }
  }

  acceptance(message: string): Uint8Array {
    return this.#isNamed ? NOTHING : this.#line.acceptance(message);
  }

  rejection(why: Refusal): Uint8Array {
    return this.#isNamed ? NOTHING : this.#line.rejection(why);
  }
}
