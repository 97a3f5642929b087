import type { Server, TLSSocket } from "node:tls";
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
  /** The protocols that clients may ask for (RFC 7301). */
  readonly alpn: readonly string[];
  /** Milliseconds that the caller gives a client; 0 for no limit. */
  readonly limit: number;
  /**
   * Servers of these options whose handshake is over, for the next ones: to
   * make one takes a quarter of a millisecond, to read the key and the
   * certificate anew.
   */
  readonly free: Server[];
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
      resolve(new TlsConn(socket, conn, outer, factsOf(socket, sni)));
    });
    server.once("tlsClientError", refused);
    outer.once("close", () => reject(failed(new Error("the client has left"))));
    // As long as the handshake goes on, the client's end is the end of it.
    outer.allowHalfOpen = false;
    server.emit("connection", outer);
    outer.allowHalfOpen = true;
  });
}

function serverOf({ cert, key, minVersion, alpn, limit }: TlsOptions): Server {
  const { SSL_OP_NO_RENEGOTIATION, SSL_OP_NO_TICKET } = nodeCrypto().constants;
  return nodeTls().createServer({
    cert,
    key,
    minVersion,
    // A client asks for a renegotiation to keep the server busy, if at all.
    secureOptions: SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET,
    ALPNProtocols: [...alpn],
    handshakeTimeout: giveUpAfter(limit),
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

/** OpenSSL puts what has happened into one of its members. */
function failed(error: Error & { reason?: string; code?: string }) {
  const { reason, code, message } = error;
  const why = code === "ECONNRESET" ? "the client has left" : reason ?? message;
  return new TcpmuxError("protocol", why, { cause: error });
}
