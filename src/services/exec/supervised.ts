import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "../../errors.ts";
import type { LogFields, LogLevel } from "../../log.ts";
import type { ExecService } from "../../table/service.ts";
import type { Process } from "../../transport/transport.ts";
import { endGroup } from "./end_group.ts";
import type { ServiceContext } from "../opened.ts";
import { StderrLimit } from "./stderr_limit.ts";
import { stderrLines } from "./stderr_lines.ts";

/** Milliseconds for the last lines of a program that has ended. */
const STDERR_GRACE = 500;

/** A program of a session, whatever its standard input and output are. */
export class Attended {
  #program: Process;
  #service: ExecService;
  #context: ServiceContext;

  constructor(
    program: Process,
    service: ExecService,
    context: ServiceContext,
  ) {
    this.#program = program;
    this.#service = service;
    this.#context = context;
  }

  /**
   * Hands on its standard error, where the table says.
   *
   * @param toClient writes what is the client's, where that goes through us
   */
  async passStderr(
    toClient?: (bytes: Uint8Array) => Promise<void>,
  ): Promise<void> {
    try {
      if (this.#service.stderr === "client") {
        if (toClient === undefined) return;
        for (let bytes; (bytes = await this.#program.readStderr()) !== null;) {
          await toClient(bytes);
        }
      } else if (this.#service.stderr === "log") {
        await this.#logStderr();
      }
    } catch (error) {
      this.#log("debug", "standard error broke off", {
        text: messageOf(error),
      });
    }
  }

  /**
   * It may have closed its output, but has all time to end.
   *
   * @returns a note of how it ended; empty where there is nothing to say
   */
  async exit(): Promise<string> {
    const { ending } = this.#context;
    let stop: (() => void) | undefined;
    const stopped = new Promise<undefined>((resolve) => {
      stop = () => resolve(undefined);
      if (ending.aborted) stop();
      else ending.addEventListener("abort", stop);
    });
    try {
      const exit = await Promise.race([this.#program.exited, stopped]);
      if (exit === undefined) return "the program was ended";
      if (exit.signal !== null) return `the program ended by ${exit.signal}`;
      return exit.code === 0
        ? ""
        : `the program exited with status ${exit.code}`;
    } finally {
      ending.removeEventListener("abort", stop!);
    }
  }

  /**
   * Ends all that is left of its group, and lets go of it.
   *
   * @param stderr resolves when that has been handed on
   */
  async end(stderr: Promise<void> = Promise.resolve()): Promise<void> {
    try {
      await endGroup(this.#program, this.#service.killGrace);
    } catch (error) {
      this.#log("error", "cannot end a program", { text: messageOf(error) });
    }
    // Usually it has ended too; but a daemon may have kept it.
    await Promise.race([stderr, sleep(STDERR_GRACE)]);
    this.#program.closeStderr();
  }

  async #logStderr(): Promise<void> {
    const limit = new StderrLimit((lines) => {
      this.#log("warn", "stderr was too much, lines were dropped", { lines });
    });
    try {
      await stderrLines(this.#program, {
        wants: () => limit.take(),
        line: (text) => this.#log("info", "stderr", { text }),
      });
    } finally {
      limit.end();
    }
  }

  #log(level: LogLevel, message: string, fields: LogFields): void {
    this.#context.premises.log(level, message, {
      conn: this.#context.id,
      service: this.#service.name,
      pid: this.#program.pid,
      ...fields,
    });
  }
}
