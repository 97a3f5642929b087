import { request, type Requested } from "../connect.ts";
import { formatEndpoint } from "../endpoint.ts";
import { codeOf, messageOf } from "../errors.ts";
import { PushbackConn } from "../pushback_conn.ts";
import { relay } from "../relay.ts";
import { getEnv } from "../transport/permission.ts";
import { pickTransport } from "../transport/pick.ts";
import type { Carriage, Conn, Intake, Meter } from "../transport/transport.ts";
import { CLIENT_FLAGS, clientOptions, withWait } from "./client_flags.ts";
import { EXIT, exitCodeOf } from "./exit.ts";
import { type Flags, readFlags, usage } from "./flags.ts";
import { amount, Progress } from "./progress.ts";
import { exit, onSignal, printError } from "./system.ts";

export const CONNECT_FLAGS = {
  values: CLIENT_FLAGS.values,
  switches: [
    ...CLIENT_FLAGS.switches,
    "early",
    "progress",
    "quiet",
    "send-all",
    "verbose",
    "xinetd",
  ],
  short: { ...CLIENT_FLAGS.short, q: "quiet", v: "verbose" },
  words: 2,
};

/** `tcpmux connect`: standard input and output are the connection. */
export async function connectCommand(args: readonly string[]): Promise<number> {
  const flags = readFlags(args, CONNECT_FLAGS, getEnv);
  const [server, service] = flags.words;
  if (server === undefined || service === undefined) {
    throw usage("connect takes a server and a service: HOST[:PORT] SERVICE");
  }
  const stdio = new OwnStdio((await pickTransport()).stdio());
  const progress = new Progress(() => stdio.bytesSent + stdio.bytesReceived);
  onSignal("SIGINT", () => {
    progress.stop();
    exit(130);
  });
  const say = (text: string) => {
    if (flags.on("verbose")) printError(`tcpmux: ${text}\n`);
  };
  if (flags.on("progress")) progress.start();
  try {
    const requested = await withWait(flags, () => ask(server, service, flags));
    say(`connected to ${formatEndpoint(requested.conn.remote)}`);
    requested.reply.then(({ message }) => say(`+${message}`), () => {});
    const peer = new BehindReply(requested);
    // Once the server has ended there is nothing left to wait for.
    const over = flags.on("send-all") ? undefined : Promise.resolve();
    await relay(stdio, peer, stdio.outputGone, over);
    return EXIT.done;
  } catch (error) {
    if (stdio.outputError !== undefined) {
      // Whoever read our output has closed it: that ends us quietly.
      if (codeOf(stdio.outputError) === "broken_pipe") return EXIT.done;
      throw stdio.outputError;
    }
    if (flags.on("quiet") && codeOf(error) !== "usage") {
      return exitCodeOf(error);
    }
    throw error;
  } finally {
    progress.stop();
    say(
      `${amount(stdio.bytesReceived)} received, ${
        amount(stdio.bytesSent)
      } sent`,
    );
  }
}

/** Asks, and waits for the `+` before anything is sent, unless told to. */
async function ask(
  server: string,
  service: string,
  flags: Flags,
): Promise<Requested> {
  const options = { ...clientOptions(flags), dropNul: flags.on("xinetd") };
  try {
    const requested = await request(server, service, options);
    if (flags.on("early")) requested.reply.catch(() => {}); // the relay tells
    else await requested.reply;
    return requested;
  } catch (error) {
    if (error instanceof TypeError) throw usage(messageOf(error));
    throw error;
  }
}

/** Reads nothing before the reply is there. */
class BehindReply extends PushbackConn {
  #requested: Requested;
  #replied = false;

  constructor(requested: Requested) {
    super(requested.conn);
    this.#requested = requested;
  }

  override async read(): Promise<Uint8Array | null> {
    await this.#requested.reply;
    this.#replied = true;
    return await super.read();
  }

  override carryTo(sink: Conn, carriage: Carriage): boolean {
    return this.#replied && super.carryTo(sink, carriage);
  }
}

/** Our standard input and output, counted. */
class OwnStdio extends PushbackConn implements Meter {
  bytesSent = 0;
  bytesReceived = 0;
  #gone = new AbortController();

  constructor(stdio: Conn) {
    super(stdio);
  }

  /** Why nothing can be written any more, as on a full disk. */
  outputError: unknown;

  /** Aborted when our output takes nothing any more. */
  get outputGone(): AbortSignal {
    return this.#gone.signal;
  }

  override async read(): Promise<Uint8Array | null> {
    const bytes = await super.read();
    this.bytesSent += bytes?.length ?? 0;
    return bytes;
  }

  override carryTo(sink: Conn, carriage: Carriage): boolean {
    carriage.source = this;
    return super.carryTo(sink, carriage); // nothing was read too early here
  }

  override intake(): Intake {
    return { conn: super.intake().conn, meter: this };
  }

  received(count: number): void {
    this.bytesSent += count;
  }

  sent(count: number): void {
    this.bytesReceived += count;
  }

  carried(): void {}

  broken(error: unknown): void {
    this.outputError = error;
    this.#gone.abort();
  }

  override async write(bytes: Uint8Array): Promise<void> {
    try {
      await super.write(bytes);
      this.sent(bytes.length);
    } catch (error) {
      this.broken(error);
      throw error;
    }
  }
}
