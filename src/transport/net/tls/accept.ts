import type { Server, TLSSocket } from "node:tls";
import type { PeerCertificate } from "../../../endpoint.ts";
import { TcpmuxError } from "../../../errors.ts";
import type { Conn } from "../../transport.ts";
import { nodeCrypto, nodeTls } from "../builtins.ts";
import { outerOf, TlsConn } from "./conn.ts";

/** What TLS begins with: PEM texts, and what clients must offer. */
export interface TlsOptions {
  readonly cert: string;
  readonly key: string;
  readonly minVersion: "TLSv1.2" | "TLSv1.3";
  /** The protocols that clients may ask for (RFC 7301); none for any. */
  readonly alpn: readonly string[];
  /**
   * The authorities that sign the certificates of clients, as PEM; undefined
   * where clients are not asked for one.
   */
  readonly clientCa?: string | undefined;
  /** Milliseconds that the caller gives a client; 0 for no limit. */
  readonly limit: number;
  /**
   * Servers of these options whose handshake is over, for the next ones: to
   * make one takes a quarter of a millisecond, to read the key and the
   * certificate anew.
   */
  readonly free: Server[];
}

/**
 * Given what a client shows, undefined for nothing, finds who it is; undefined
 * for nobody.
 */
export type Identify = (
  shown: ShownCertificate | undefined,
) => PeerCertificate | undefined;

/** The certificate of a client, which has its key. */
export interface ShownCertificate {
  readonly der: Uint8Array;
  /**
   * Whether the runtime has found that an authority has signed it and that it
   * is in force.
   */
  readonly isTrusted: boolean;
  /** Whether that has to be found out again: the session may be resumed. */
  readonly isDoubtful: boolean;
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

/** As many as a burst of handshakes needs; each takes some 20 to 60 KB. */
const MOST_FREE = 32;

/** The longest wait of a runtime's timer, in milliseconds. */
const NEVER = 2 ** 31 - 1;

/**
 * Milliseconds after which TLS itself gives up: later than the caller, who says
 * why, but no later than needed: on Deno, a handshake that has failed keeps its
 * memory for so long.
 */
const giveUpAfter = (limit: number) =>
  limit === 0 ? NEVER : Math.min(limit + 1_000, NEVER);

/**
 * Begins TLS as the server, on a connection of a listener that was opened
 * `forTls`. While its handshake goes on, each connection has a server object of
 * its own: nobody has to find out which of the connections of a shared one has
 * got ready. No session is resumed (but on Deno, whose tickets are for the whole
 * process).
 *
 * @throws {TcpmuxError} rejects with `protocol` where the client and the server
 * do not agree
 */
export function acceptTls(
  conn: Conn,
  { bytes, sni }: { readonly bytes: Uint8Array; readonly sni?: string },
  options: TlsOptions,
  identify?: Identify,
): Promise<TlsConn> {
  const { free } = options;
  const server = free.pop() ?? serverOf(options);
  const outer = outerOf(conn, bytes);
  return new Promise((resolve, reject) => {
    const refused = (error: Error) => reject(failed(error));
    server.once("secureConnection", (socket) => {
      server.removeListener("tlsClientError", refused);
      if (free.length < MOST_FREE) free.push(server);
      socket.allowHalfOpen = true;
      try {
        const certificate = identify?.(shownBy(socket));
        const facts = { ...factsOf(socket, sni), certificate };
        resolve(new TlsConn(socket, conn, outer, facts));
      } catch (error) {
        reject(error); // thrown in here, it would end the process
      }
    });
    server.once("tlsClientError", refused);
    outer.once("close", () => reject(failed(new Error(LEFT))));
    // As long as the handshake goes on, the client's end is the end of it.
    outer.allowHalfOpen = false;
    server.emit("connection", outer);
    outer.allowHalfOpen = true;
  });
}

function serverOf(options: TlsOptions): Server {
  const { cert, key, minVersion, alpn, clientCa, limit } = options;
  const { SSL_OP_NO_RENEGOTIATION, SSL_OP_NO_TICKET } = nodeCrypto().constants;
  return nodeTls().createServer({
    cert,
    key,
    minVersion,
    // Who a client is must not change; and it would keep the server busy.
    secureOptions: SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET,
    ...(alpn.length === 0 ? {} : { ALPNProtocols: [...alpn] }),
    handshakeTimeout: giveUpAfter(limit),
    // Who is refused gets a reply inside TLS, so nobody is refused by this.
    ...(clientCa === undefined
      ? {}
      : { requestCert: true, rejectUnauthorized: false, ca: clientCa }),
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
    isDoubtful: mayResume() || socket.isSessionReused(),
    verdict: String(socket.authorizationError),
  };
}

/** Many a client says no more of a certificate that it does not accept. */
const LEFT = "the client has left before TLS was agreed on (perhaps it does " +
  "not accept the server's certificate)";

/** OpenSSL puts what has happened into one of its members. */
function failed(error: Error & { reason?: string; code?: string }) {
  const { reason, code, message } = error;
  const why = code === "ECONNRESET" ? LEFT : reason ?? message;
  return new TcpmuxError("protocol", why, { cause: error });
}
