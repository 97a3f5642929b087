/** HTTP for those who look: an address, few clients, little time for each. */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import {
  cureForFolder,
  openFreeing,
  SocketFile,
} from "../bind/stale_socket.ts";
import { type Endpoint, formatEndpoint, tcpEnd } from "../endpoint.ts";
import { codeOf, type ErrorCode, messageOf, withCure } from "../errors.ts";
import type { Log } from "../log.ts";
import { ADMIN_CONNECTIONS } from "../policy/open_files.ts";
import { fromSystem } from "../transport/errno.ts";
import { nodeHttp } from "../transport/net/builtins.ts";
import { whyUnbound } from "../transport/net/listen.ts";
import type { Transport } from "../transport/transport.ts";

/** Milliseconds within which a client must have sent its request. */
const REQUEST_TIME = 10_000;

/** Milliseconds within which a client must have taken an answer. */
const ANSWER_TIME = 30_000;

/** Milliseconds for which a connection may wait for the next request. */
const KEEP_TIME = 5_000;

/** Bytes of the head of a request. */
const MOST_HEAD = 8 * 1024;

/** Answers a request, by `endWith` or by writing for as long as it likes. */
export type Respond = (
  request: IncomingMessage,
  response: ServerResponse,
) => Promise<void> | void;

/** An address at which requests are answered. */
export class AdminListener {
  /** With the real port. */
  readonly endpoint: Endpoint;
  readonly #server: Server;
  readonly #file: SocketFile | undefined;

  private constructor(server: Server, endpoint: Endpoint) {
    this.#server = server;
    this.endpoint = endpoint;
    const hasFile = endpoint.transport === "unix" &&
      !endpoint.path.startsWith("\0");
    this.#file = hasFile ? new SocketFile(endpoint.path) : undefined;
  }

  /** @throws {TcpmuxError} where the address cannot be had */
  static async open(
    endpoint: Endpoint,
    respond: Respond,
    { transport, log }: {
      readonly transport: Transport;
      readonly log: Log;
    },
  ): Promise<AdminListener> {
    const open = async () => {
      const server = nodeHttp().createServer({
        headersTimeout: REQUEST_TIME,
        requestTimeout: REQUEST_TIME,
        keepAliveTimeout: KEEP_TIME,
        connectionsCheckingInterval: 1_000,
        maxHeaderSize: MOST_HEAD,
      }, (request, response) => {
        answer(request, response, respond, log);
      });
      server.maxConnections = ADMIN_CONNECTIONS;
      return new AdminListener(server, await listen(server, endpoint));
    };
    const path = endpoint.transport === "unix" ? endpoint.path : undefined;
    try {
      return await openFreeing(transport, path, open);
    } catch (error) {
      throw withCure(error, await cureFor(codeOf(error), endpoint));
    }
  }

  /** Whether clients can still reach it. */
  get isReachable(): boolean {
    return this.#file?.isOurs ?? true;
  }

  /** Accepts no more, and lets go of all who are connected. */
  close(): void {
    const close = () => {
      this.#server.close(() => this.#file?.putBack());
      this.#server.closeAllConnections();
    };
    if (this.#file === undefined) close();
    else this.#file.closeBy(close);
  }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  respond: Respond,
  log: Log,
): Promise<void> {
  response.on("error", () => {}); // the client is gone: `close` follows
  try {
    await respond(request, response);
  } catch (error) {
    log("error", "the admin listener failed", { reason: messageOf(error) });
    response.destroy();
  }
}

/** Ends the response with all that is to be sent, within a bounded time. */
export function endWith(
  response: ServerResponse,
  body: string | undefined,
): void {
  const timer = setTimeout(() => response.destroy(), ANSWER_TIME);
  response.once("close", () => clearTimeout(timer));
  response.end(body);
}

function listen(server: Server, endpoint: Endpoint): Promise<Endpoint> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) => {
      const address = formatEndpoint(endpoint);
      const what = `server.admin: cannot listen on ${address}`;
      reject(fromSystem(whyUnbound(error, endpoint), what, { address }));
    });
    server.listen(
      endpoint.transport === "unix"
        ? { path: endpoint.path }
        : { host: endpoint.host, port: endpoint.port },
      () => {
        server.removeAllListeners("error");
        server.on("error", () => {}); // of accepting: it goes on by itself
        const bound = server.address();
        resolve(
          bound !== null && typeof bound === "object" &&
            endpoint.transport === "tcp"
            ? tcpEnd(bound.address, bound.port)
            : endpoint,
        );
      },
    );
  });
}

async function cureFor(
  code: ErrorCode,
  endpoint: Endpoint,
): Promise<string | undefined> {
  const isTaken = code === "address_in_use";
  if (endpoint.transport === "tcp") {
    return isTaken
      ? "another program listens there, and ss -ltnp tells which: give this " +
        "server another one"
      : undefined;
  }
  return isTaken
    ? "another program listens there, or it is a file of another kind"
    : await cureForFolder(endpoint.path);
}
