/** Both ends of TLS as a transport, to hold to the contract of transports. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type ConnectionOptions } from "node:tls";
import { HelloReader } from "../../src/handshake/client_hello.ts";
import { secureAsClient } from "../../src/tls/client.ts";
import {
  acceptTls,
  type TlsOptions,
} from "../../src/transport/net/tls/accept.ts";
import { outerOf, TlsConn } from "../../src/transport/net/tls/conn.ts";
import { demandsOf } from "../../src/transport/net/tls/demands.ts";
import { netListen } from "../../src/transport/net/listen.ts";
import { pickTransport } from "../../src/transport/pick.ts";
import type {
  Conn,
  Listener,
  Transport,
} from "../../src/transport/transport.ts";
import { selfSigned } from "./certificates.ts";
import { netConnect } from "../../src/transport/net/connect.ts";

const NOTHING = new Uint8Array(0);

/** The bytes of the first message of a client. */
export async function helloOf(conn: Conn) {
  const reader = new HelloReader();
  for (;;) {
    const bytes = await conn.read();
    if (bytes === null) throw new Error("the client has left");
    const hello = reader.push(bytes);
    if (hello.kind === "hello") return hello;
    if (hello.kind === "plain") throw new Error("it is not TLS");
  }
}

/** Of a server whose certificate it has signed itself. */
export async function tlsOptions(): Promise<TlsOptions> {
  const folder = mkdtempSync(join(tmpdir(), "tcpmux-tls-"));
  const { cert, key } = await selfSigned(folder, "server");
  const options = {
    cert: readFileSync(cert, "utf8"),
    key: readFileSync(key, "utf8"),
    minVersion: "TLSv1.2" as const,
    alpn: ["tcpmux"],
    limit: 0,
    free: [],
  };
  rmSync(folder, { recursive: true });
  return options;
}

export async function tlsTransport(inner: Transport): Promise<Transport> {
  const options = await tlsOptions();
  const demands = demandsOf({ verify: false })!;

  async function accepted(listener: Listener): Promise<Conn | null> {
    for (;;) {
      const conn = await listener.accept();
      if (conn === null) return null;
      try {
        return await acceptTls(conn, await helloOf(conn), options);
      } catch {
        conn.abort(); // the client has left meanwhile
      }
    }
  }

  return {
    ...inner,
    abilities: { ...inner.abilities, reset: false },
    listen: async (endpoint, how = {}) => {
      const listener = await netListen(endpoint, how, inner.timers);
      return {
        endpoint: listener.endpoint,
        accept: () => accepted(listener),
        close: () => listener.close(),
      };
    },
    connect: (endpoint, how = {}) => {
      const attempt = inner.connect(endpoint, { ...how, forTls: true });
      return {
        abort: () => attempt.abort(),
        conn: attempt.conn.then((conn) =>
          secureAsClient(conn, { endpoint, demands, alpn: ["tcpmux"] }, {
            timeout: 0,
            begin: performance.now(),
            timers: inner.timers,
            hold() {},
          })
        ),
      };
    },
  };
}

/** A connection by TLS to a port of this machine. */
export async function tlsConnect(
  port: number,
  options: ConnectionOptions = {},
): Promise<Conn> {
  return await secured(await connectForTls(port), options);
}

/** The same before TLS. */
export async function connectForTls(port: number): Promise<Conn> {
  const { timers } = await pickTransport();
  const at = { transport: "tcp", host: "127.0.0.1", port } as const;
  return await netConnect(at, {}, timers).conn;
}

/** TLS as the client, on a connection that is there already. */
export function secured(
  conn: Conn,
  options: ConnectionOptions = {},
): Promise<Conn> {
  const outer = outerOf(conn, NOTHING);
  const socket = connect({
    rejectUnauthorized: false,
    ALPNProtocols: ["tcpmux"],
    ...options,
    socket: outer,
  });
  return new Promise((resolve, reject) => {
    socket.once("error", reject);
    socket.once("secureConnect", () => {
      socket.off("error", reject);
      const facts = { protocol: "", cipher: "", sni: undefined, alpn: "" };
      resolve(new TlsConn(socket, conn, outer, facts));
    });
  });
}
