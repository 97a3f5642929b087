/** TLS, between accepting a connection and reading its request. */
import type { Peer, TlsFacts } from "../endpoint.ts";
import { codeOf, messageOf } from "../errors.ts";
import { decide, type SwitchedOff } from "../policy/decide.ts";
import { type Refusal, refusal, REFUSALS } from "../policy/refusal.ts";
import type { NamedBy } from "../record.ts";
import type { Table } from "../table/table.ts";
import type { Conn } from "../transport/transport.ts";
import { TLS_REPLIES } from "../wire.ts";
import { type ClientHello, HelloReader } from "./client_hello.ts";

/** The server's side of TLS, by the settings and files that are in force. */
export interface ServerTls {
  /** The service that a client names by the host that it means, if it does. */
  nameIn(hello: ClientHello): string | undefined;
  /**
   * Rejects where the client and the server do not agree.
   *
   * @param name of the service whose protocols are spoken, in place of TCPMUX
   */
  secure(
    client: Conn,
    hello: ClientHello,
    name?: string,
  ): Promise<SecuredClient>;
}

/** What the step needs of a session, and what it finds out for it. */
export interface BeginningTls {
  peer: Peer;
  namedBy: NamedBy | undefined;
  readonly server: { readonly table: Table; readonly switchedOff: SwitchedOff };
}

/** A connection inside TLS. */
export type SecureConn = Conn & { readonly tls: TlsFacts };

/** A client with whom TLS has been agreed on. */
export interface SecuredClient {
  readonly kind: "secured";
  readonly conn: SecureConn;
  /** Why it is refused none the less, inside TLS. */
  readonly refusal: Refusal | undefined;
}

/** What the step has led to. */
export type Secured =
  | SecuredClient & {
    /** The service that the client has named by the host that it means. */
    readonly name: string | undefined;
  }
  /** The client begins no TLS, and need not. */
  | { readonly kind: "plain"; readonly early: Uint8Array }
  | Refusal
  | { readonly kind: "silence" };

const SLOW = refusal(
  "timeout",
  "no complete TLS handshake within handshake_timeout",
  "Timed out waiting for TLS",
);

const CUT_SHORT = refusal(
  "eof",
  "the client closed before its TLS handshake was complete",
  "TLS cut short",
);

/** The one refusal for which TLS is not waited for. */
export const TLS_REQUIRED = refusal(
  "tls_error",
  "the client does not speak TLS, which this listener requires",
  TLS_REPLIES.noTls,
);

/** Where a client may do without TLS, its first byte must be that of none. */
const BROKEN = refusal(
  "tls_error",
  "the client begins as TLS does, but its first message is none of TLS",
  "",
);

const NOTHING = new Uint8Array(0);

/** The fatal alert unrecognized_name (RFC 6066, section 3), as a record. */
const UNRECOGNIZED_NAME = Uint8Array.of(21, 3, 3, 0, 2, 2, 112);

/** The TLS handshake of one client. */
export class TlsStep {
  /** What a client is told that is refused before TLS is agreed on. */
  rejection = NOTHING;
  readonly #ends: ServerTls;
  readonly #session: BeginningTls;
  readonly #isOptional: boolean;
  #reader = new HelloReader();
  #interrupt: (error: Error) => void = () => {};

  /** @param isOptional whether the client may do without TLS */
  constructor(ends: ServerTls, session: BeginningTls, isOptional: boolean) {
    this.#ends = ends;
    this.#session = session;
    this.#isOptional = isOptional;
  }

  /** Whether the client is one of TLS, as far as it has said. */
  get expectsTls(): boolean {
    return !this.#isOptional || this.#reader.started;
  }

  get tooSlow(): Refusal {
    return this.expectsTls ? SLOW : REFUSALS.slow;
  }

  /** Ends the step that is under way: `run` rejects with this error. */
  interrupt(error: Error): void {
    this.#interrupt(error);
  }

  /** @param early bytes of the client that were read already */
  async run(client: Conn, early: Uint8Array): Promise<Secured> {
    this.#interrupt = (error) => client.interrupt(error);
    const reader = this.#reader;
    let hello = reader.push(early);
    while (hello.kind === "more") {
      const bytes = await client.read();
      if (bytes === null) {
        return reader.started ? CUT_SHORT : { kind: "silence" };
      }
      hello = reader.push(bytes);
    }
    if (hello.kind === "plain") {
      if (!this.#isOptional) return TLS_REQUIRED;
      return reader.beginsAsTls
        ? BROKEN
        : { kind: "plain", early: reader.bytes };
    }
    const name = this.#ends.nameIn(hello);
    if (name !== undefined) {
      this.#session.namedBy = "sni";
      const refused = this.#refusalOf(name);
      if (refused !== undefined) return refused;
    }
    try {
      return await this.#secure(client, hello, name);
    } catch (error) {
      client.abort();
      throw error;
    }
  }

  /**
   * A name that gets nothing is refused while TLS can say so. It is looked up
   * again like all names when TLS has been agreed on; and only then where the
   * certificate of the client counts.
   */
  #refusalOf(name: string): Refusal | undefined {
    const { peer, server: { table, switchedOff } } = this.#session;
    if (table.server.tls?.clientCertificate !== "none") return undefined;
    const asking = { peer, now: Date.now(), switchedOff };
    const decision = decide(table, name, asking);
    if (decision.kind !== "refuse") return undefined;
    this.rejection = UNRECOGNIZED_NAME;
    return decision;
  }

  async #secure(
    client: Conn,
    hello: ClientHello,
    name: string | undefined,
  ): Promise<Secured> {
    const interrupted = new Promise<never>((_, reject) => {
      this.#interrupt = reject;
    });
    try {
      const secured = await Promise.race([
        this.#ends.secure(client, hello, name),
        interrupted,
      ]);
      return { ...secured, name };
    } catch (error) {
      if (codeOf(error) !== "protocol") throw error;
      return refusal("tls_error", messageOf(error), "");
    }
  }
}
