import { type ChildProcess, spawn } from "node:child_process";
import { findProgram } from "./needs.ts";
import { until } from "./wait.ts";

/**
 * A client with an address of its choice: nc(1) of OpenBSD, since not every
 * runtime lets a socket choose where it comes from.
 */
export class Netcat {
  /** All that it was sent so far. */
  said = "";
  /** It has no connection any more, or never had one. */
  ended = false;
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;

  /** @param from its own address, as "127.0.0.2" */
  constructor(port: number, from: string, host = "127.0.0.1") {
    const words = ["-N", "-s", from, host, String(port)];
    this.#child = spawn(findProgram("nc")!, words, {
      stdio: ["pipe", "pipe", "ignore"],
    });
    this.#child.stdin!.on("error", () => {}); // the server may be faster
    this.#child.stdout!.on("data", (bytes) => this.said += String(bytes));
    this.#exited = new Promise((resolve) => {
      this.#child.once("close", () => {
        this.ended = true;
        resolve();
      });
    });
  }

  send(text: string): void {
    this.#child.stdin!.write(text);
  }

  /** The first line, or what there is where the end comes first. */
  async line(): Promise<string> {
    const done = () => this.ended || this.said.includes("\n");
    await until("a line has come", done);
    return this.said.split("\n")[0]!.replace(/\r$/, "");
  }

  /** All that comes until the server ends. */
  async all(): Promise<string> {
    await this.#exited;
    return this.said;
  }

  /** Ends its own side. */
  end(): void {
    this.#child.stdin!.end();
  }

  /** Goes away, and has gone when this resolves. */
  async leave(): Promise<void> {
    if (!this.ended) process.kill(this.#child.pid!, "SIGTERM");
    await this.#exited;
  }
}

/** Sends a request from an address and gives all that comes back. */
export async function exchangeFrom(
  from: string,
  port: number,
  request: string,
  host?: string,
): Promise<string> {
  const client = new Netcat(port, from, host);
  client.send(request);
  client.end();
  return await client.all();
}
