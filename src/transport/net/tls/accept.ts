import type { TLSSocket } from "node:tls";
import type { PeerCertificate } from "../../../endpoint.ts";
import { TcpmuxError } from "../../../errors.ts";
import type { Conn } from "../../transport.ts";
import { nodeCrypto, nodeTls } from "../builtins.ts";
import { TlsConn } from "./conn.ts";
import { outerOf } from "./records.ts";

/** What TLS begins with: PEM texts, and what clients must offer. */
export interface TlsOptions {
  readonly cert: string;
  readonly key: string;
  readonly minVersion: "TLSv1.2" | "TLSv1.3";
  /** The protocols that clients may ask for (RFC 7301); none for any. */
  readonly alpn: readonly string[];
  /** Undefined where clients are not asked for a certificate. */
  readonly clients?: ClientIdentification | undefined;
}

/** How clients say who they are. */
export interface ClientIdentification {
  /** The authorities that sign their certificates, as PEM. */
  readonly ca: string;
  /** Given what a client shows, finds who it is; undefined for nobody. */
  identify(shown: ShownCertificate | undefined): PeerCertificate | undefined;
}

/** The certificate of a client, which has its key. */
export interface ShownCertificate {
  readonly der: Uint8Array;
  /**
   * Whether the runtime has found that an authority has signed it and that it
   * is in force. Of a session that is resumed, it says so of all.
   */
  readonly isTrusted: boolean;
  /** What it has found, in a word. */
  readonly verdict: string;
}

/**
 * Whether this runtime resumes sessions, and then says of every certificate that
 * it is good. Deno does, by tickets that one process has for all its servers.
 */
export function mayResume(): boolean {
  return "Deno" in globalThis;
}

/** Longer than any deadline of ours, in milliseconds. */
const NEVER = 2 ** 31 - 1;

/**
 * Begins TLS as the server, on a connection of a listener that was opened
 * `forTls`. Each connection has a server object of its own: nobody has to find
 * out which of the connections of a shared one has got ready, and no session is
 * resumed (but on Deno, whose tickets are for the whole process).
 *
 * @throws {TcpmuxError} rejects with `protocol` where the client and the server
 * do not agree
 */
export function acceptTls(
  conn: Conn,
  { bytes, sni }: { readonly bytes: Uint8Array; readonly sni?: string },
  { cert, key, minVersion, alpn, clients }: TlsOptions,
): Promise<TlsConn> {
  const server = nodeTls().createServer({
    cert,
    key,
    minVersion,
    ...(alpn.length === 0 ? {} : { ALPNProtocols: [...alpn] }),
    handshakeTimeout: NEVER,
    // Node alone would renegotiate: who a client is must not change.
    secureOptions: nodeCrypto().constants.SSL_OP_NO_RENEGOTIATION,
    // Who is refused gets a reply inside TLS, so nobody is refused by this.
    ...(clients === undefined
      ? {}
      : { requestCert: true, rejectUnauthorized: false, ca: clients.ca }),
  });
  const outer = outerOf(conn, bytes);
  return new Promise((resolve, reject) => {
    server.once("secureConnection", (socket) => {
      socket.allowHalfOpen = true;
      const certificate = clients?.identify(shownBy(socket));
      const facts = { ...factsOf(socket, sni), certificate };
      resolve(new TlsConn(socket, conn, outer, facts));
    });
    server.once("tlsClientError", (error) => reject(failed(error)));
    outer.once("close", () => reject(failed(new Error("the client has left"))));
    // As long as the handshake goes on, the client's end is the end of it.
    outer.allowHalfOpen = false;
    server.emit("connection", outer);
    outer.allowHalfOpen = true;
  });
}

function factsOf(socket: TLSSocket, sni: string | undefined) {
  return {
    protocol: socket.getProtocol() ?? "",
    cipher: socket.getCipher()?.name ?? "",
    sni,
    alpn: socket.alpnProtocol || undefined,
  };
}

function shownBy(socket: TLSSocket): ShownCertificate | undefined {
  const der = socket.getPeerX509Certificate()?.raw;
  if (der === undefined) return undefined;
  return {
    der: new Uint8Array(der),
    isTrusted: socket.authorized === true,
    verdict: String(socket.authorizationError),
  };
}

/** OpenSSL puts what has happened into one of its members. */
function failed(error: Error & { reason?: string; code?: string }) {
  const { reason, code, message } = error;
  const why = code === "ECONNRESET" ? "the client has left" : reason ?? message;
  return new TcpmuxError("protocol", why, { cause: error });
}
