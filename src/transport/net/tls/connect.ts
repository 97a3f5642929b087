/** TLS as a client, and what its errors mean in words: each runtime has others. */
import type { TLSSocket } from "node:tls";
import type { TlsFacts } from "../../../endpoint.ts";
import { messageOf, TcpmuxError } from "../../../errors.ts";
import type { Conn } from "../../transport.ts";
import { nodeTls } from "../builtins.ts";
import { outerOf, TlsConn } from "./conn.ts";
import { OWN_WAYS } from "./demands.ts";

/** What a client begins TLS with. */
export interface ClientTlsOptions {
  /** PEM, one certificate each; undefined for those that the runtime trusts. */
  readonly ca: readonly string[] | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  /** The name to ask the server for (RFC 6066); undefined for none. */
  readonly sni: string | undefined;
  /** The protocols to offer (RFC 7301). */
  readonly alpn: readonly string[];
}

/** What the handshake has shown of the server. */
export interface ShownByServer {
  readonly protocol: string;
  readonly cipher: string;
  readonly alpn: string | undefined;
  /** The server's own certificate, as DER. */
  readonly certificate: Uint8Array;
  /** Why the runtime trusts no authority of it; undefined where it does. */
  readonly distrust: string | undefined;
}

/** Who decides whether the server is the right one, and explains failures. */
export interface ServerJudge {
  /** @throws where it is not the one that is wanted */
  judge(shown: ShownByServer): TlsFacts;
  /** What an error of the handshake means, or one that came after it. */
  explain(error: unknown): Error;
}

const NOTHING = new Uint8Array(0);

/**
 * TLS as the client, on a connection that was opened `forTls`. Whoever fails to
 * agree, or is aborted, has closed the connection.
 */
export class ClientHandshake {
  /** Rejects with what the judge has thrown or explained. */
  readonly done: Promise<TlsConn>;
  readonly #conn: Conn;
  #socket: TLSSocket | undefined;
  #isOver = false;
  #reject!: (error: Error) => void;

  constructor(conn: Conn, options: ClientTlsOptions, judge: ServerJudge) {
    this.#conn = conn;
    this.done = new Promise((resolve, reject) => {
      this.#reject = reject;
      // No TLS socket notices an end that was there before it.
      if (conn.end !== undefined) {
        return this.fail(judge.explain(conn.end ?? LEFT));
      }
      try {
        this.#begin(options, judge, resolve);
      } catch (error) {
        if (error instanceof TcpmuxError) return this.fail(error);
        const why = `TLS cannot begin: ${messageOf(error)} (look at ca, cert ` +
          "and key)";
        this.fail(new TcpmuxError("usage", why, { cause: error }));
      }
    });
  }

  #begin(
    { ca, cert, key, sni, alpn }: ClientTlsOptions,
    judge: ServerJudge,
    succeed: (conn: TlsConn) => void,
  ): void {
    const outer = outerOf(this.#conn, NOTHING);
    const socket = this.#socket = nodeTls().connect({
      socket: outer,
      ...(ca === undefined ? {} : { ca: [...ca] }),
      ...(cert === undefined || key === undefined ? {} : { cert, key }),
      ...(sni === undefined ? {} : { servername: sni }),
      ...(alpn.length === 0 ? {} : { ALPNProtocols: [...alpn] }),
      // The judge decides, who can tell what is wrong with a certificate.
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
    });
    socket.on("error", (error) => this.fail(judge.explain(error)));
    socket.once("close", () => this.fail(judge.explain(LEFT)));
    socket.once("secureConnect", () => {
      try {
        const { raw } = socket.getPeerCertificate();
        const facts = judge.judge({
          protocol: socket.getProtocol() ?? "",
          cipher: socket.getCipher()?.name ?? "",
          alpn: socket.alpnProtocol || undefined,
          certificate: raw === undefined ? NOTHING : new Uint8Array(raw),
          distrust: socket.authorized
            ? undefined
            : codeIn(socket.authorizationError),
        });
        socket.allowHalfOpen = true;
        const explain = (error: Error) => judge.explain(error);
        this.#isOver = true;
        succeed(new TlsConn(socket, this.#conn, outer, facts, explain));
      } catch (error) {
        this.fail(error as Error);
      }
    });
  }

  /** Ends it, unless it is done. */
  fail(error: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#reject(error);
    // First what is within: Node crashes where a socket ends beneath TLS.
    this.#socket?.destroy();
    this.#conn.abort();
  }
}

/** The other side has ended the connection. */
const LEFT = new TcpmuxError("connection_reset", "the connection was closed");

/** Of an error, or the text that a runtime has in place of one. */
function codeIn(error: unknown): string {
  const { code } = (error ?? {}) as { code?: unknown };
  return String(code ?? error ?? "unknown");
}

/** Alerts (RFC 8446, section 6) by which a server refuses its client. */
const REFUSALS: Readonly<Record<string, string>> = {
  CERTIFICATE_REQUIRED: `it requires one, and there is none (${OWN_WAYS})`,
  BAD_CERTIFICATE: "it takes it for broken, or does not let it in",
  UNSUPPORTED_CERTIFICATE: "it is of a kind that the server does not take",
  CERTIFICATE_REVOKED: "it is revoked",
  CERTIFICATE_EXPIRED: "it has expired, or is not valid yet",
  CERTIFICATE_UNKNOWN: "it does not accept it",
  UNKNOWN_CA: "it does not trust the authority that has signed it",
  ACCESS_DENIED: "it does not let it in",
};

/** Alerts that say that both have nothing to agree on. */
const DISAGREEMENTS: Readonly<Record<string, string>> = {
  HANDSHAKE_FAILURE:
    "it finds nothing to agree on, or requires a certificate " +
    `of its client (${OWN_WAYS})`,
  NO_APPLICATION_PROTOCOL:
    "it does not speak the protocol that was asked for " +
    "(ALPN)",
  PROTOCOL_VERSION: "it speaks no version of TLS from 1.2 on",
  UNRECOGNIZED_NAME: "it does not know the name that it was asked for (SNI)",
  INSUFFICIENT_SECURITY: "it demands stronger ciphers",
};

/** What is no record of TLS at all. */
const NO_TLS =
  /WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST|HTTPS_PROXY_REQUEST|UNKNOWN_PROTOCOL|RECORD_LAYER_FAILURE|RECORD_OVERFLOW/;

/**
 * Undefined where a server has not refused its client by an alert.
 *
 * @param unfit what is known against our own certificate
 */
export function refusedOf(
  error: unknown,
  server: string,
  unfit?: string,
): TcpmuxError | undefined {
  const why = REFUSALS[alertIn(error)];
  return why === undefined ? undefined : new TcpmuxError(
    "untrusted",
    `${server} refused our certificate: ${why}` +
      (unfit === undefined ? "" : ` (${unfit})`),
    { cause: error, address: server },
  );
}

/** Why a handshake has failed. */
export function troubleOf(error: unknown, server: string): Error {
  if (error instanceof TcpmuxError && error.code !== "connection_reset") {
    return error;
  }
  const failed = (why: string) =>
    new TcpmuxError("protocol", `${server} ${why}`, {
      cause: error,
      address: server,
    });
  const code = codeOfTls(error);
  const why = DISAGREEMENTS[alertIn(error)];
  if (why !== undefined) return failed(`refuses TLS: ${why}`);
  if (NO_TLS.test(code)) {
    return failed(
      "does not speak TLS (connect without it, or to its TLS port)",
    );
  }
  if (/^(ECONNRESET|EPIPE|connection_reset)$/.test(code)) {
    return failed(
      "closed the connection during the TLS handshake (perhaps it does not " +
        "speak TLS)",
    );
  }
  const { reason, message } = error as { reason?: string; message?: string };
  return failed(`and TLS do not agree: ${reason ?? message ?? code}`);
}

/** The name of the alert that an error was made of; empty for none. */
function alertIn(error: unknown): string {
  // On Deno, the code of an alert may be that of another one.
  const { message } = (error ?? {}) as { message?: unknown };
  const name = /^received fatal alert: (\w+)/.exec(String(message))?.[1];
  return name?.replaceAll(/([a-z])(?=[A-Z])/g, "$1_").toUpperCase() ??
    /ALERT_([A-Z_]+)$/.exec(codeOfTls(error))?.[1] ?? "";
}

function codeOfTls(error: unknown): string {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === "string" ? code : "";
}
