/** HTTP/1.1 with JSON on a Unix socket that only its owner may use. */
import { chmodSync } from "node:fs";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import {
  cureForFolder,
  openFreeing,
  SocketFile,
} from "../bind/stale_socket.ts";
import { codeOf, messageOf, withCure } from "../errors.ts";
import { fromSystem } from "../transport/errno.ts";
import { nodeHttp } from "../transport/net/builtins.ts";
import { whyUnbound } from "../transport/net/listen.ts";
import { permitted } from "../transport/permission.ts";
import type { Transport } from "../transport/transport.ts";
import { SERVER_HEADER } from "./place.ts";

/** Connections that are answered at a time; as many more are told so. */
const MOST_CONNECTIONS = 64;

/**
 * Milliseconds within which a client must have sent its request, and again
 * have taken the reply.
 */
const DEADLINE = 10_000;

/** Bytes of the body of a request. */
const MOST_BYTES = 64 * 1024;

const ONLY_OWNER = 0o600;
const ALL_BUT_OWNER = 0o177;

/** What a client asks for. */
export interface ControlRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  /** As JSON was read; undefined where there was none. */
  readonly body: unknown;
}

export interface ControlReply {
  readonly status: number;
  /** Sent as JSON. */
  readonly body: unknown;
  /** Whether the reply goes on until this process ends. */
  readonly lasts?: boolean;
  /** Called when it is written, or its client gone. */
  readonly after?: () => void;
}

/** Never rejects. */
export type Answering = (request: ControlRequest) => Promise<ControlReply>;

/** The control socket of a server, from its making to its end. */
export class ControlSocket {
  readonly #server: Server;
  readonly #file: SocketFile;

  private constructor(server: Server, path: string) {
    this.#server = server;
    this.#file = new SocketFile(path);
  }

  /**
   * Listens at a path; where a server has died there, in its place.
   *
   * @throws {TcpmuxError} code `address_in_use` where something else is there
   */
  static async open(
    path: string,
    transport: Transport,
    answer: Answering,
  ): Promise<ControlSocket> {
    const open = async () =>
      new ControlSocket(await listen(path, answer), path);
    return await openFreeing(transport, path, open);
  }

  get path(): string {
    return this.#file.path;
  }

  /** Whether its file is still there, for clients to find it. */
  get isReachable(): boolean {
    return this.#file.isOurs;
  }

  /** Accepts no more; requests that are being answered get their replies. */
  close(): void {
    this.#file.closeBy(() => {
      this.#server.close(() => this.#file.putBack());
    });
  }
}

/** @throws {TcpmuxError} */
async function listen(path: string, answer: Answering): Promise<Server> {
  const server = nodeHttp().createServer();
  const clients = new Clients();
  server.on("connection", (socket: Socket) => clients.add(socket));
  server.on("clientError", (_, socket) => socket.destroy());
  server.on("request", (request, response) => {
    const { socket } = request;
    serve(request, answer, clients)
      .catch((error) => failure(500, "failed", messageOf(error)))
      .then((reply) => {
        if (!reply.lasts) clients.expect(socket);
        send(response, reply);
      });
  });
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.once("listening", resolve);
      listenAsOwner(server, path);
    });
    chmodSync(path, ONLY_OWNER);
  } catch (error) {
    if (server.listening) server.close();
    throw await whyNot(error, path);
  }
  server.on("error", () => {}); // of accepting: it goes on by itself
  return server;
}

/** Nobody else can connect, not even before the mode is set. */
function listenAsOwner(server: Server, path: string): void {
  // Deno wants a permission for it; umask(2) is most often strict enough.
  const before = permitted("sys") ? process.umask(ALL_BUT_OWNER) : undefined;
  try {
    server.listen(path); // binds before it returns
  } finally {
    if (before !== undefined) process.umask(before);
  }
}

async function whyNot(thrown: unknown, path: string): Promise<unknown> {
  const address = `unix:${path}`;
  const what = `cannot listen on ${address} (server.control)`;
  const reason = whyUnbound(thrown, { transport: "unix", path });
  const error = fromSystem(reason, what, { address });
  const cure = codeOf(error) === "address_in_use"
    ? "another server has it, or it is a file of another kind: give each " +
      "server a path of its own"
    : await cureForFolder(path);
  return withCure(error, cure);
}

/** The connections, each of which has a deadline while it is waited for. */
class Clients {
  readonly #timers = new Map<Socket, ReturnType<typeof setTimeout>>();

  get areTooMany(): boolean {
    return this.#timers.size > MOST_CONNECTIONS;
  }

  add(socket: Socket): void {
    if (this.#timers.size >= 2 * MOST_CONNECTIONS) {
      socket.destroy();
      return;
    }
    this.expect(socket);
    socket.on("error", () => {}); // it closes then
    socket.once("close", () => {
      this.#cancel(socket);
      this.#timers.delete(socket);
    });
  }

  /** The client must do its part within the deadline, or is disconnected. */
  expect(socket: Socket): void {
    this.#cancel(socket);
    if (socket.destroyed) return;
    const timer = setTimeout(() => socket.destroy(), DEADLINE);
    timer.unref();
    this.#timers.set(socket, timer);
  }

  /** The client has done its part. */
  hasAsked(socket: Socket): void {
    this.#cancel(socket);
  }

  #cancel(socket: Socket): void {
    clearTimeout(this.#timers.get(socket));
  }
}

async function serve(
  request: IncomingMessage,
  answer: Answering,
  clients: Clients,
): Promise<ControlReply> {
  if (clients.areTooMany) {
    return failure(503, "busy", "too many commands at once: try again");
  }
  // A page that has found a way to the socket must not steer the server.
  if (request.headers.origin !== undefined) {
    return failure(403, "permission_denied", "not for web pages");
  }
  const text = await textOf(request);
  if (text === undefined) {
    return failure(413, "usage", `the body has more than ${MOST_BYTES} bytes`);
  }
  clients.hasAsked(request.socket);
  let body: unknown;
  try {
    body = text === "" ? undefined : JSON.parse(text);
  } catch {
    return failure(400, "usage", "the body is no JSON");
  }
  const { method = "", url = "/" } = request;
  const [path = "", query] = url.split("?");
  return await answer({
    method,
    path,
    query: new URLSearchParams(query),
    body,
  });
}

/** The body; undefined where it is too long. */
async function textOf(request: IncomingMessage): Promise<string | undefined> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of request) {
    size += piece.length;
    if (size > MOST_BYTES) return undefined;
    pieces.push(piece);
  }
  return new TextDecoder().decode(Buffer.concat(pieces));
}

/** A reply that says why not. */
export function failure(
  status: number,
  code: string,
  message: string,
): ControlReply {
  return { status, body: { error: { code, message } } };
}

function send(response: ServerResponse, reply: ControlReply): void {
  const { status, body, lasts = false, after } = reply;
  response.on("error", () => {}); // the client is gone
  let isOver = false;
  const over = () => {
    if (!isOver) after?.();
    isOver = true;
  };
  response.once("close", over);
  response.setHeader("Server", SERVER_HEADER);
  response.setHeader("Content-Type", "application/json");
  response.setHeader("Connection", "close");
  const text = `${JSON.stringify(body)}\n`;
  if (lasts) {
    // Without a length and without chunks the end of the connection is that of
    // the reply: it comes with the end of the process.
    response.useChunkedEncodingByDefault = false;
    response.removeHeader("Transfer-Encoding");
  }
  response.writeHead(status);
  if (lasts) response.write(text, over);
  else response.end(text, over);
}
