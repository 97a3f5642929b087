/** Asking the admin listener of a server. */
import { type IncomingMessage, request } from "node:http";
import { createConnection, type Socket } from "node:net";
import type { RunningServer } from "./server.ts";

export interface Got {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** Where an admin listener is: a port of the loopback, or a socket's path. */
export type Place = number | string;

/** The address that a server says its admin listener has, the n-th one. */
export async function adminPort(
  server: RunningServer,
  which = 0,
): Promise<number> {
  const lines = () =>
    server.log.filter(({ message }) => message === "admin listener");
  await server.logged("admin listener", () => lines().length > which);
  return Number(/:(\d+)$/.exec(String(lines()[which]!.address))![1]);
}

/** One request on a connection of its own. */
export function get(
  place: Place,
  path: string,
  { method = "GET", host }: { method?: string; host?: string } = {},
): Promise<Got> {
  return new Promise((resolve, reject) => {
    const sent = request({
      ...(typeof place === "number"
        ? { host: "127.0.0.1", port: place }
        : { socketPath: place }),
      path,
      method,
      agent: false,
      timeout: 60_000,
      headers: host === undefined ? {} : { host },
    }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (text) => body += text);
      response.once("error", reject);
      response.once("end", () =>
        resolve({
          status: response.statusCode!,
          headers: response.headers,
          body,
        }));
    });
    sent.once("error", reject);
    sent.end();
  });
}

/** What /events sends, as it comes. */
export class Watching {
  readonly messages: { event: string; data: Record<string, unknown> }[] = [];
  head = "";
  isOver = false;
  readonly #socket: Socket;
  #held = "";

  constructor(port: number) {
    this.#socket = createConnection({ host: "127.0.0.1", port });
    this.#socket.on("error", () => {}); // it closes then
    this.#socket.once("close", () => this.isOver = true);
    this.#socket.on("data", (bytes) => this.#take(String(bytes)));
    // Without chunks, as a client of HTTP/1.0 gets it.
    this.#socket.write("GET /events HTTP/1.0\r\n\r\n");
  }

  #take(text: string): void {
    const parts = (this.#held + text).split(/\r?\n\r?\n/);
    this.#held = parts.pop()!;
    for (const part of parts) {
      const [, event, data] = /^event: (\w+)\ndata: (.*)$/.exec(part) ?? [];
      if (event === undefined) this.head = part;
      else this.messages.push({ event, data: JSON.parse(data!) });
    }
  }

  close(): void {
    this.#socket.destroy();
  }
}
