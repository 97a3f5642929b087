import { request, type RequestedConn } from "../connect.ts";
import { formatEndpoint, type TlsFacts } from "../endpoint.ts";
import { codeOf, messageOf } from "../errors.ts";
import { Relay } from "../relay.ts";
import { getEnv } from "../transport/permission.ts";
import { pickTransport } from "../transport/pick.ts";
import { WrappedConn } from "../transport/stream_conn.ts";
import type { Conn, Transport } from "../transport/transport.ts";
import { amount, clock } from "../units.ts";
import {
  clientOptions,
  type NamedServer,
  namedServer,
  withWait,
} from "./client.ts";
import { EXIT, exitCodeOf } from "./exit.ts";
import { type FlagsOf, readCommandLine, usage } from "./flags.ts";
import { LogQueue } from "./daemon/log_queue.ts";
import { CONNECT } from "./spec/clients.ts";
import { endBy, exit, onSignal, stderrIsTerminal } from "./system.ts";

const NOTHING = new Uint8Array(0);

/** Milliseconds between two looks at the figures. */
const PROGRESS_PERIOD = 250;

const NO_LIMITS = { idleTimeout: 0, halfClosedTimeout: 0, stallTimeout: 0 };

/** `tcpmux connect`: standard input and output are the connection. */
export async function connectCommand(args: readonly string[]): Promise<number> {
  const { flags, positionals } = readCommandLine(args, CONNECT, getEnv);
  const [word, name] = positionals;
  const transport = await pickTransport();
  const counters = { bytesIn: 0, bytesOut: 0, lastMoved: 0 };
  const messages = new LogQueue(transport.output(2));
  const progress = new Progress(
    () => counters.bytesIn + counters.bytesOut,
    (text) => messages.print(text),
  );
  endBy("SIGTERM", "SIGHUP");
  onSignal("SIGINT", () => {
    progress.stop();
    exit(EXIT.interrupted);
  });
  const say = (text: string) => {
    if (flags.verbose) messages.print(`tcpmux: ${text}\n`);
  };
  if (flags.progress) progress.start();
  let stdio: OwnStdio | undefined;
  try {
    const named = await namedServer(word, flags);
    const conn = await withWait(
      word,
      flags.wait,
      () => ask(named, name, flags, transport),
    );
    say(`connected to ${formatEndpoint(conn.remote)}${tlsText(conn.tls)}`);
    conn.reply.then(() => say(`+${conn.message}`), () => {});
    // Where nobody takes the output, the command ends at once.
    stdio = new OwnStdio(transport.stdio(), () => conn.abort());
    await new Relay({
      client: stdio,
      service: conn,
      counters,
      limits: NO_LIMITS,
      timers: transport.timers,
      // Once the server has ended there is nothing left to wait for.
    }).run(NOTHING, flags["send-all"] ? undefined : Promise.resolve());
    return EXIT.done;
  } catch (error) {
    if (stdio?.outputError !== undefined) {
      // The reader of our output has closed it: no failure of the connection.
      if (codeOf(stdio.outputError) === "broken_pipe") return EXIT.done;
      throw stdio.outputError;
    }
    if (flags.quiet && codeOf(error) !== "usage") {
      return exitCodeOf(error);
    }
    throw error;
  } finally {
    progress.stop();
    say(
      `${amount(counters.bytesOut)} received, ${amount(counters.bytesIn)} sent`,
    );
    await messages.flush();
  }
}

/** What `--verbose` says of TLS. */
function tlsText(tls: TlsFacts | undefined): string {
  return tls === undefined
    ? ""
    : ` by ${tls.protocol}, ${tls.cipher}, with ${tls.server?.subject}, whose ` +
      `pin is ${tls.server?.pin}`;
}

/** Asks for the service; without `--early`, waits for the `+` before sending. */
async function ask(
  { server, service, tls }: NamedServer,
  name: string | undefined,
  flags: FlagsOf<typeof CONNECT>,
  transport: Transport,
): Promise<RequestedConn> {
  if ((service === undefined) === (name === undefined)) {
    throw usage(
      name === undefined
        ? "connect needs a server and a service: tcpmux connect HOST[:PORT] " +
          "SERVICE"
        : `the URL names the service ${service} already`,
    );
  }
  const dropNul = flags.xinetd;
  const options = { ...clientOptions(flags), ...tls, dropNul, transport };
  try {
    const conn = await request(server, service ?? name, options);
    if (flags.early) conn.reply.catch(() => {}); // reading rejects with it
    else await conn.reply;
    return conn;
  } catch (error) {
    if (error instanceof TypeError) throw usage(messageOf(error));
    throw error;
  }
}

/** Standard input and output, with the error of an output that has failed. */
class OwnStdio extends WrappedConn {
  outputError: unknown;
  readonly #onOutputError: () => void;

  constructor(stdio: Conn, onOutputError: () => void) {
    super(stdio);
    this.#onOutputError = onOutputError;
  }

  override async write(bytes: Uint8Array): Promise<void> {
    try {
      await super.write(bytes);
    } catch (error) {
      this.outputError = error;
      this.#onOutputError();
      throw error;
    }
  }
}

/** How much has passed, how fast and for how long, on the terminal. */
class Progress {
  readonly #count: () => number;
  readonly #print: (text: string) => void;
  #begin = performance.now();
  #timer: ReturnType<typeof setInterval> | undefined;

  /** @param count gives the bytes so far */
  constructor(count: () => number, print: (text: string) => void) {
    this.#count = count;
    this.#print = print;
  }

  /** Only where standard error is a terminal. */
  start(): void {
    if (!stderrIsTerminal()) return;
    this.#timer = setInterval(
      () => this.#print(`\r${this.#line()}`),
      PROGRESS_PERIOD,
    );
  }

  /** Leaves the last figures on a line of their own. */
  stop(): void {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#print(`\r${this.#line()}\n`);
  }

  #line(): string {
    const seconds = (performance.now() - this.#begin) / 1000;
    const bytes = this.#count();
    const rate = amount(bytes / Math.max(seconds, 0.001));
    return `${amount(bytes)}  ${rate}/s  ${clock(seconds)}   `;
  }
}
