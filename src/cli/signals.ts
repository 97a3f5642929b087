import { onSignal, type Signal } from "./system.ts";

export type SignalHandlers = Partial<Record<Signal, () => void>>;

/**
 * Takes all signals from the start on, and keeps them until there is a
 * server. It is also what keeps Deno from a crash when it runs out of
 * descriptors, and Node from opening its inspector at SIGUSR1.
 */
export class Signals {
  #early: Signal[] = [];
  #handlers: SignalHandlers | undefined;

  constructor() {
    const all = ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGUSR2"] as const;
    for (const signal of all) {
      onSignal(signal, () => {
        if (this.#handlers === undefined) this.#early.push(signal);
        else this.#handlers[signal]?.();
      });
    }
  }

  handle(handlers: SignalHandlers): void {
    this.#handlers = handlers;
    for (const signal of this.#early) handlers[signal]?.();
  }
}
