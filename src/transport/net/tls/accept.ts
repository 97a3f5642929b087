import type { TLSSocket } from "node:tls";
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
}

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
  { cert, key, minVersion, alpn, limit }: TlsOptions,
): Promise<TlsConn> {
  const server = nodeTls().createServer({
    cert,
    key,
    minVersion,
    // A client asks for a renegotiation to keep the server busy, if at all.
    secureOptions: nodeCrypto().constants.SSL_OP_NO_RENEGOTIATION,
    ALPNProtocols: [...alpn],
    handshakeTimeout: giveUpAfter(limit),
  });
  const outer = outerOf(conn, bytes);
  return new Promise((resolve, reject) => {
    server.once("secureConnection", (socket) => {
      socket.allowHalfOpen = true;
      resolve(new TlsConn(socket, conn, outer, factsOf(socket, sni)));
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

/** OpenSSL puts what has happened into one of its members. */
function failed(error: Error & { reason?: string; code?: string }) {
  const { reason, code, message } = error;
  const why = code === "ECONNRESET" ? "the client has left" : reason ?? message;
  return new TcpmuxError("protocol", why, { cause: error });
}
