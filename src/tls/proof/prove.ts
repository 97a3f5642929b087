/** Shows that this runtime tells good certificates of clients from bad ones. */
import { codeOf, messageOf, TcpmuxError } from "../../errors.ts";
import { HelloReader } from "../../handshake/client_hello.ts";
import { fromSystem } from "../../transport/errno.ts";
import { nodeTls } from "../../transport/net/builtins.ts";
import {
  acceptTls,
  type Identify,
  type ShownCertificate,
  type TlsOptions,
} from "../../transport/net/tls/accept.ts";
import { discardListener } from "../../transport/pushed_listener.ts";
import type { Conn, Listener, Transport } from "../../transport/transport.ts";
import { type Made, makeCertificate, makeIssuer } from "./made.ts";

/** Milliseconds for each client. */
const DEADLINE = 10_000;
const HOST = "127.0.0.1";

/** A client of the proof, and whether it is good. */
interface Case {
  readonly what: string;
  readonly shown: Made | undefined;
  readonly isGood?: boolean;
}

/**
 * Connects to itself with certificates that are made in memory: a good one, and
 * those that must be refused. Runtimes have had faults by which they took such
 * clients for good; so a server that asks for certificates does not start
 * without this.
 *
 * @param accept how clients are served
 * @throws {TcpmuxError} code `unsupported`, saying what was not refused
 */
export async function proveRefusals(
  transport: Transport,
  accept = acceptTls,
): Promise<void> {
  const [own, foreign] = [makeIssuer("proof"), makeIssuer("proof")];
  const options: TlsOptions = {
    ...makeCertificate("server", { issuer: own }),
    minVersion: "TLSv1.2",
    alpn: [],
    clientCa: own.cert,
    limit: DEADLINE,
    free: [],
  };
  const cases: Case[] = [
    {
      what: "a good certificate",
      shown: makeCertificate("client", { issuer: own }),
      isGood: true,
    },
    { what: "no certificate", shown: undefined },
    {
      what: "a certificate of another authority",
      shown: makeCertificate("client", { issuer: foreign }),
    },
    {
      what: "a certificate that has signed itself",
      shown: makeCertificate("client"),
    },
    {
      what: "a certificate that has expired",
      shown: makeCertificate("client", { issuer: own, days: -1 }),
    },
    {
      what: "a certificate for servers only",
      shown: makeCertificate("client", { issuer: own, isServers: true }),
    },
  ];
  const at = { transport: "tcp", host: HOST, port: 0 } as const;
  let listener: Listener | undefined;
  try {
    listener = await transport.listen(at, { forTls: true });
    const prover = { transport, listener, options, accept };
    for (const { what, shown, isGood = false } of cases) {
      const isTrusted = await trusts(prover, shown);
      if (isTrusted === isGood) continue;
      throw new TcpmuxError(
        "unsupported",
        `${isTrusted ? "takes" : "does not take"} ${what} for a good one`,
      );
    }
  } catch (error) {
    const cure = codeOf(error) === "permission_denied"
      ? `it needs --allow-net, with ${HOST} among its addresses if it has any,`
      : "take another version of it or another runtime,";
    throw new TcpmuxError(
      "unsupported",
      `cannot serve clients by their certificates: ${transport.name}, tried at ` +
        `${HOST}, ${
          messageOf(error)
        } (${cure} or client_certificate = "none" ` +
        "in [server.tls])",
      { cause: error },
    );
  } finally {
    if (listener !== undefined) discardListener(listener);
  }
}

/** What the clients of the proof come to. */
interface Prover {
  readonly transport: Transport;
  readonly listener: Listener;
  readonly options: TlsOptions;
  readonly accept: typeof acceptTls;
}

/** Whether this runtime finds that a client has a good certificate. */
async function trusts(
  { transport, listener, options, accept }: Prover,
  shown: Made | undefined,
): Promise<boolean> {
  let seen: ShownCertificate | undefined;
  const identify: Identify = (shown) => {
    seen = shown;
    return undefined;
  };
  const { endpoint } = listener;
  const socket = nodeTls().connect({
    host: HOST,
    port: endpoint.transport === "tcp" ? endpoint.port : 0,
    rejectUnauthorized: false, // what the client finds is of no account
    ...shown,
  });
  const connected = new Promise<void>((resolve) => {
    socket.once("connect", resolve);
    socket.once("close", resolve);
  });
  let conn: Conn | null = null;
  let unconnected: Error | undefined;
  socket.on("error", (error) => {
    if (conn !== null) return; // the server's side says what has happened
    unconnected = fromSystem(error, `cannot connect to ${HOST}`);
    listener.close();
  });
  const late = new TcpmuxError("timed_out", "is too slow");
  const timer = transport.timers.after(DEADLINE, () => {
    listener.close();
    conn?.abort();
    socket.destroy();
  });
  try {
    for (;;) {
      conn = await listener.accept();
      if (conn === null) throw unconnected ?? late;
      await connected;
      const { remote } = conn;
      // Others on this machine may connect to the port too.
      if (remote.transport === "tcp" && remote.port === socket.localPort) break;
      conn.abort();
    }
    const secured = await accept(conn, await helloOf(conn), options, identify);
    secured.abort();
  } catch (error) {
    conn?.abort();
    if (timer?.cancel() === false) throw late;
    // The runtime itself has refused the client.
    if (codeOf(error) !== "protocol") throw error;
  } finally {
    timer?.cancel();
    socket.destroy();
  }
  return seen?.isTrusted === true;
}

/** The first message of the client. */
async function helloOf(conn: Conn): Promise<{ readonly bytes: Uint8Array }> {
  const reader = new HelloReader();
  for (;;) {
    const bytes = await conn.read();
    if (bytes === null) {
      throw new TcpmuxError("protocol", "the client has left");
    }
    const hello = reader.push(bytes);
    if (hello.kind === "hello") return hello;
  }
}
