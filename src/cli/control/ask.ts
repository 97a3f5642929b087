/** How commands find the control socket of a server, and ask it. */
import { stat } from "node:fs/promises";
import type { ClientRequest, IncomingMessage } from "node:http";
import { defaultPlaces, SERVER_HEADER } from "../../control/place.ts";
import { codeOf, type ErrorCode, TcpmuxError, withCure } from "../../errors.ts";
import { type Problem, TableError } from "../../table/problem.ts";
import { type Timer, TimerList } from "../../timers.ts";
import { fromSystem } from "../../transport/errno.ts";
import { nodeHttp } from "../../transport/net/builtins.ts";
import { getEnv, ownId, permitted } from "../../transport/permission.ts";
import { usage } from "../flags.ts";

/** Milliseconds. */
const TIMEOUT = 10_000;

const HELP = "is it running? --control PATH or TCPMUX_CONTROL says where its " +
  "socket is";

export interface ControlFlags {
  readonly control: string | undefined;
  readonly timeout: number | undefined;
}

export interface CommandRequest {
  readonly method: "GET" | "POST";
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Whether to wait for the end of the server, without a limit. */
  readonly lasts?: boolean;
}

/**
 * Asks the server.
 *
 * @returns its reply, read as JSON
 * @throws {TcpmuxError} what it answers where it cannot do that, or why there
 * is no answer
 */
export async function ask<T>(
  flags: ControlFlags,
  asking: CommandRequest,
): Promise<T> {
  const socket = await socketOf(flags.control);
  const { method, path, body, lasts = false } = asking;
  const asked = begun(socket, method, path);
  const deadline = new AnswerDeadline(flags.timeout ?? TIMEOUT, socket, asked);
  try {
    const response = await deadline.within(responseTo(asked, body, socket));
    if (response.headers.server !== SERVER_HEADER) throw noServer(socket);
    const isOk = response.statusCode === 200;
    if (isOk && lasts) deadline.cancel();
    const text = await deadline.within(textOf(response, socket, isOk && lasts));
    const read = readReply(text, socket);
    if (!isOk) throw errorOf(read, socket);
    return read as T;
  } finally {
    deadline.cancel();
  }
}

/** @throws {TcpmuxError} as Deno does at once, without its permission */
function begun(
  socket: string,
  method: string,
  path: string,
): ClientRequest {
  try {
    return nodeHttp().request({
      socketPath: socket,
      method,
      path,
      agent: false,
    });
  } catch (error) {
    throw whyNot(error, socket);
  }
}

/** The server has so long for its whole answer. */
class AnswerDeadline {
  readonly #missed: Promise<never>;
  #timer: Timer | undefined;

  /** @param limit milliseconds; 0 for none */
  constructor(limit: number, socket: string, asked: ClientRequest) {
    this.#missed = new Promise((_, reject) => {
      this.#timer = new TimerList().after(limit, () => {
        const said = `the server at ${socket} has not answered within`;
        reject(new TcpmuxError("timed_out", `${said} ${limit / 1000} s`));
        asked.destroy();
      });
    });
  }

  /** @throws {TcpmuxError} where the work takes longer than there is time */
  async within<T>(work: Promise<T>): Promise<T> {
    work.catch(() => {}); // what fails when it is too late is not waited for
    return await Promise.race([work, this.#missed]);
  }

  cancel(): void {
    this.#timer?.cancel();
  }
}

function responseTo(
  asked: ClientRequest,
  body: unknown,
  socket: string,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    asked.on("error", (error) => reject(whyNot(error, socket)));
    asked.once("response", resolve);
    asked.end(body === undefined ? "" : JSON.stringify(body));
  });
}

/** @param lasts whether the reply may break off, as the server's end does */
function textOf(
  response: IncomingMessage,
  socket: string,
  lasts: boolean,
): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  response.on("data", (bytes) => {
    text += decoder.decode(bytes, { stream: true });
  });
  return new Promise((resolve, reject) => {
    response.once("end", () => resolve(text));
    response.once("error", (error) => {
      if (lasts) resolve(text);
      else reject(whyNot(error, socket));
    });
  });
}

/** @throws {TcpmuxError} code `protocol` */
function readReply(text: string, socket: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw noServer(socket);
  }
}

function errorOf(reply: unknown, socket: string): Error {
  const { error } = (reply ?? {}) as {
    error?: { code: ErrorCode; message: string; problems?: Problem[] };
  };
  if (typeof error?.message !== "string") return noServer(socket);
  return error.problems === undefined
    ? new TcpmuxError(error.code, error.message)
    : new TableError(error.problems);
}

function noServer(socket: string): TcpmuxError {
  return new TcpmuxError("protocol", `what answers at ${socket} is no tcpmux`);
}

function whyNot(thrown: unknown, socket: string): unknown {
  const { code } = thrown as { code?: string };
  if (code?.startsWith("HPE_")) return noServer(socket);
  const what = `cannot reach the server at ${socket}`;
  const error = fromSystem(thrown, what, { address: `unix:${socket}` });
  return withCure(error, cureFor(codeOf(error)));
}

function cureFor(code: ErrorCode): string | undefined {
  switch (code) {
    case "connection_refused":
    case "not_found":
      return HELP;
    case "permission_denied":
      return permitted("read") && permitted("write")
        ? "only the server's user may use it: sudo, or su to that user"
        : "Deno was started without the permission: deno run -A";
  }
}

/** @throws {TcpmuxError} where there is none, or it is somebody else's */
async function socketOf(given: string | undefined): Promise<string> {
  if (given !== undefined) {
    const path = given.replace(/^unix:/, "");
    if (path.startsWith("@")) throw usage("--control is the path of a file");
    await ownerOf(path); // it is there, and nobody else's
    return path;
  }
  const places = defaultPlaces(getEnv);
  let foreign: unknown;
  for (const path of places) {
    try {
      await ownerOf(path);
      return path;
    } catch (error) {
      if (codeOf(error) === "permission_denied") foreign ??= error;
      else if (codeOf(error) !== "not_found") throw error;
    }
  }
  if (foreign !== undefined) throw foreign;
  throw new TcpmuxError(
    "not_found",
    `no server has a control socket at ${places.join(" or ")} (${HELP})`,
  );
}

/**
 * Nobody but the server's user may have made the socket: a command must not
 * tell another one what it is about, nor show what that one says.
 *
 * @throws {TcpmuxError}
 */
async function ownerOf(path: string): Promise<void> {
  let owner: number;
  try {
    owner = (await stat(path)).uid;
  } catch (error) {
    throw whyNot(error, path);
  }
  const own = ownId();
  if (own === undefined || own === 0 || owner === own) return;
  throw new TcpmuxError(
    "permission_denied",
    `the control socket ${path} belongs to user ${owner}, and only that user ` +
      "and root may use it (run the command as one of them, as by sudo)",
  );
}
