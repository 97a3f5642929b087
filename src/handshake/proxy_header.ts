/** The step in which a proxy says who its client is, ahead of the request. */
import { type Endpoint, formatEndpoint, type Peer } from "../endpoint.ts";
import { TcpmuxError } from "../errors.ts";
import type { Log, LogFields } from "../log.ts";
import type { Access } from "../policy/access.ts";
import { type Refusal, refusal } from "../policy/refusal.ts";
import type { TimerList } from "../timers.ts";
import type { Conn } from "../transport/transport.ts";
import { type ProxyHeader, ProxyHeaderReader } from "./proxy_protocol.ts";

/**
 * Milliseconds for the header, which a proxy sends at once; a part of the time
 * for the whole handshake.
 */
const MOST_TIME = 5_000;

const SLOW = proxyError("it was not complete in time");
const CUT_SHORT = proxyError("the connection ended within it");

/** A proxy that looks whether somebody listens here. */
const SILENCE: Ending = { code: "silence", reason: "the proxy sent nothing" };

function proxyError(why: string): Refusal {
  return refusal("proxy_error", `PROXY header: ${why}`, "");
}

/** How a connection ends that gets no further. */
type Ending = Pick<Refusal, "code" | "reason">;

/** What the step needs of a session, and what it finds out for it. */
export interface Announced {
  readonly id: number;
  peer: Peer;
  uniqueId: string | undefined;
  readonly server: {
    readonly transport: { readonly timers: TimerList };
    readonly log: Log;
    readonly table: { readonly server: HeaderSettings };
  };
}

interface HeaderSettings {
  readonly handshakeTimeout: number;
  readonly trustedProxies: Access;
}

/**
 * Reads the header of the PROXY protocol, and tells its session who the client
 * is. It is accepted from trusted proxies alone: whoever can send one chooses
 * the address that access and limits go by.
 */
export class ProxyHeaderStep {
  /** Bytes that came behind the header. */
  early: Uint8Array = new Uint8Array(0);
  readonly #session: Announced;
  readonly #client: Conn;
  #isReading = false;
  #refusal: Refusal | undefined;

  constructor(session: Announced, client: Conn) {
    this.#session = session;
    this.#client = client;
  }

  /** Ends the reading, if it is under way. */
  refuse(refusal: Refusal): void {
    if (!this.#isReading) return;
    this.#refusal ??= refusal;
    this.#client.interrupt(new TcpmuxError("cancelled", refusal.reason));
  }

  /** @returns why the connection ends; undefined where it goes on */
  async read(): Promise<Ending | undefined> {
    const session = this.#session;
    const { local, remote: via } = this.#client;
    const { transport, log, table: { server } } = session.server;
    const why = keptOut(via, server.trustedProxies);
    if (why !== undefined) return this.#close(proxyError(why));
    session.peer = { local, remote: via, via };
    const limit = Math.min(server.handshakeTimeout || MOST_TIME, MOST_TIME);
    const timer = transport.timers.after(limit, () => this.refuse(SLOW));
    const header = await this.#readHeader().finally(() => timer?.cancel());
    if ("code" in header) return this.#close(header);
    const { id: conn } = session;
    const fields = { conn, via: formatEndpoint(via), ...fieldsOf(header) };
    log("debug", "PROXY header", fields);
    session.peer = { ...session.peer, ...header.ends };
    session.uniqueId = header.facts.uniqueId;
  }

  async #readHeader(): Promise<ProxyHeader | Ending> {
    const reader = new ProxyHeaderReader();
    this.#isReading = true;
    try {
      for (;;) {
        const bytes = await this.#client.read();
        if (this.#refusal !== undefined) return this.#refusal;
        if (bytes === null) return reader.started ? CUT_SHORT : SILENCE;
        const state = reader.push(bytes);
        if (state.state === "more") continue;
        if (state.state === "malformed") return proxyError(state.why);
        this.early = state.rest;
        return state.header;
      }
    } catch (error) {
      if (this.#refusal === undefined) throw error;
      return this.#refusal;
    } finally {
      this.#isReading = false;
    }
  }

  /** Answers nothing: the proxy would pass it on as if it were the service's. */
  #close({ code, reason }: Ending): Ending {
    if (code !== "silence") this.#client.abort();
    return { code, reason };
  }
}

/** The permissions of a Unix socket's file say who may connect there. */
function keptOut(remote: Endpoint, trusted: Access): string | undefined {
  return remote.transport === "tcp" &&
      trusted.keepsOut(remote.host) !== undefined
    ? `${remote.host} is not in server.trusted_proxies`
    : undefined;
}

/** What a header says, for the log: nothing else goes by it but addresses. */
function fieldsOf({ version, ends, facts }: ProxyHeader): LogFields {
  const { alpn, authority, uniqueId, tls } = facts;
  return {
    version,
    remote: ends && formatEndpoint(ends.remote),
    local: ends && formatEndpoint(ends.local),
    authority,
    alpn,
    unique_id: uniqueId,
    tls: tls?.version,
    cipher: tls?.cipher,
    subject: tls?.subject,
    verified: tls?.verified,
  };
}
