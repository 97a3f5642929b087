/** TLS, between accepting a connection and reading its request. */
import type { TlsFacts } from "../endpoint.ts";
import { codeOf, messageOf } from "../errors.ts";
import { type Refusal, refusal } from "../policy/refusal.ts";
import type { Conn } from "../transport/transport.ts";
import { HelloReader } from "./client_hello.ts";

/** Who secures connections, by the settings and files that are in force. */
export interface TlsEnds {
  /** Rejects where the client and the server do not agree. */
  secure(client: Conn, hello: ClientHello): Promise<SecuredClient>;
}

/** The first message of a client, and the name of the server in it. */
export interface ClientHello {
  /** All that was read. */
  readonly bytes: Uint8Array;
  readonly sni: string | undefined;
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
  | SecuredClient
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
  "TLS required here",
);

/** The TLS handshake of one client. */
export class TlsStep {
  readonly tooSlow = SLOW;
  readonly #ends: TlsEnds;
  #interrupt: (error: Error) => void = () => {};

  constructor(ends: TlsEnds) {
    this.#ends = ends;
  }

  /** Ends the step that is under way: `run` rejects with this error. */
  interrupt(error: Error): void {
    this.#interrupt(error);
  }

  /** @param early bytes of the client that were read already */
  async run(client: Conn, early: Uint8Array): Promise<Secured> {
    this.#interrupt = (error) => client.interrupt(error);
    const reader = new HelloReader();
    let hello = reader.push(early);
    while (hello.kind === "more") {
      const bytes = await client.read();
      if (bytes === null) {
        return reader.started ? CUT_SHORT : { kind: "silence" };
      }
      hello = reader.push(bytes);
    }
    if (hello.kind === "plain") return TLS_REQUIRED;
    try {
      return await this.#secure(client, hello);
    } catch (error) {
      client.abort();
      throw error;
    }
  }

  async #secure(client: Conn, hello: ClientHello): Promise<Secured> {
    const interrupted = new Promise<never>((_, reject) => {
      this.#interrupt = reject;
    });
    try {
      return await Promise.race([
        this.#ends.secure(client, hello),
        interrupted,
      ]);
    } catch (error) {
      if (codeOf(error) !== "protocol") throw error;
      return refusal("tls_error", messageOf(error), "");
    }
  }
}
