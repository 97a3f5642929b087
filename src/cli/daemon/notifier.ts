/** What systemd is told of the server: sd_notify(3). */
import { clearInterval, setInterval } from "node:timers";
import { messageOf, TcpmuxError } from "../../errors.ts";
import type { GetEnv } from "../../transport/permission.ts";
import type { SystemCalls } from "../../transport/system.ts";
import { plural } from "../exit.ts";
import type { Prepared } from "../../table/table.ts";
import type { Companion } from "./companion.ts";
import type { Daemon } from "./daemon.ts";

/** Milliseconds between two looks at what has changed. */
const PAUSE = 1_000;

/** Messages that may wait for systemd to take them. */
const MOST_WAITING = 8;

/**
 * Tells systemd, from the main process itself, when the server is ready, is
 * being reloaded or stops, what it is doing, and that its event loop turns. A
 * message that nobody takes is sent again later: the service goes on.
 */
export class SystemdNotifier implements Companion {
  readonly #daemon: Pick<Daemon, "server" | "log">;
  readonly #system: SystemCalls;
  readonly #path: string;
  #state: "starting" | "ready" | "stopping" = "starting";
  #trouble = "";
  #status = "";
  #waiting: string[] = [];
  #hasWarned = false;
  readonly #timers: ReturnType<typeof setInterval>[] = [];

  /** @throws {TcpmuxError} code `unsupported` where this runtime cannot */
  constructor(
    daemon: Pick<Daemon, "server" | "log" | "transport">,
    socket: string,
    getEnv: GetEnv,
  ) {
    const { system } = daemon.transport;
    if (system === undefined) {
      throw new TcpmuxError(
        "unsupported",
        "cannot notify systemd, as NOTIFY_SOCKET asks for: this runtime " +
          "cannot call the C library (Bun, Node from 26.1 on, and Deno with " +
          "-A can; else set Type=exec in the unit)",
      );
    }
    this.#daemon = daemon;
    this.#system = system;
    this.#path = socket.replace(/^@/, "\0");
    this.#every(PAUSE, () => this.#look());
    const watchdog = watchdogTime(getEnv);
    if (watchdog > 0) this.#every(watchdog / 2, () => this.#send("WATCHDOG=1"));
  }

  #every(time: number, work: () => void): void {
    const timer = setInterval(work, time);
    timer.unref(); // it does not keep the program running
    this.#timers.push(timer);
  }

  prepare(): Prepared {
    return {
      commit: () => {
        if (this.#state === "starting") this.#ready();
      },
    };
  }

  #ready(): void {
    this.#state = "ready";
    this.#send("READY=1", this.#newStatus());
  }

  reloading(): void {
    const time = this.#system.monotonicTime();
    this.#send("RELOADING=1", `MONOTONIC_USEC=${time}`);
  }

  reloaded(error: unknown): void {
    this.#trouble = error === undefined
      ? ""
      : `; not reloaded: ${messageOf(error).replaceAll(/\s+/g, " ")}`;
    if (this.#state === "ready") this.#ready();
  }

  draining(): void {
    this.#state = "stopping";
    this.#send("STOPPING=1", this.#newStatus());
  }

  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
  }

  #look(): void {
    if (this.#state === "starting") return;
    const before = this.#status;
    const status = this.#newStatus();
    if (status !== before) this.#send(status);
    else this.#flush();
  }

  #newStatus(): string {
    const { services, sessions } = this.#daemon.server.state;
    const what = this.#state === "stopping"
      ? "Stopping"
      : `Serving ${plural(services, "service")}`;
    this.#status = `STATUS=${what}, ${plural(sessions, "session")}` +
      this.#trouble;
    return this.#status;
  }

  #send(...lines: string[]): void {
    this.#waiting.push(lines.join("\n"));
    if (this.#waiting.length > MOST_WAITING) this.#waiting.shift();
    this.#flush();
  }

  #flush(): void {
    try {
      for (let next; (next = this.#waiting[0]) !== undefined;) {
        this.#system.sendTo(this.#path, new TextEncoder().encode(next));
        this.#waiting.shift();
      }
    } catch (error) {
      if (this.#hasWarned) return;
      this.#hasWarned = true;
      const reason = messageOf(error);
      this.#daemon.log("warn", "systemd cannot be notified", { reason });
    }
  }
}

/** Milliseconds within which systemd wants a sign of life; 0 for never. */
function watchdogTime(getEnv: GetEnv): number {
  const heir = getEnv("WATCHDOG_PID") ?? String(process.pid);
  const time = Number(getEnv("WATCHDOG_USEC") ?? 0) / 1_000;
  return heir === String(process.pid) && time > 0 ? time : 0;
}
