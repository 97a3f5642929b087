import { onSignal, type Signal } from "./system.ts";

export type SignalHandlers = Partial<Record<Signal, () => void>>;

/**
 * Receives all signals from its creation on, and keeps them until there are
 * handlers. Receiving them early also keeps Deno from a crash when it runs out of
 * descriptors later, and Node from opening its inspector at SIGUSR1.
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
