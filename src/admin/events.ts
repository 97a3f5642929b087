/** Those who watch the server, by server-sent events. */
import type { ServerResponse } from "node:http";
import type { Message, View } from "./view.ts";

/** Watchers at a time. */
export const MOST_WATCHERS = 16;

/** Milliseconds between two messages. */
const PACE = 1_000;

/** Milliseconds for which a watcher may leave what it was sent. */
const PATIENCE = 10_000;

/** Bytes that may wait for a watcher. */
const MOST_WAITING = 16 * 1024 * 1024;

/** Somebody who watches. */
interface Watcher {
  readonly response: ServerResponse;
  /** When it had taken all that it was sent. */
  upToDate: number;
}

/**
 * Sends what has changed to all who watch, once a second. Whoever reads slower
 * than that for long is dropped, and may come again for a whole picture.
 */
export class Events {
  readonly #view: View;
  readonly #watchers = new Set<Watcher>();
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(view: View) {
    this.#view = view;
  }

  get isFull(): boolean {
    return this.#watchers.size >= MOST_WATCHERS;
  }

  /** @param response whose head was written already */
  add(response: ServerResponse): void {
    this.send(); // so that all know the same
    const watcher = { response, upToDate: performance.now() };
    this.#watchers.add(watcher);
    response.once("close", () => {
      this.#watchers.delete(watcher);
      if (this.#watchers.size === 0) this.#rest();
    });
    response.write(textOf(this.#view.full()));
    this.#timer ??= setInterval(() => this.send(), PACE).unref();
  }

  /** Sends what has changed now, if anybody watches. */
  send(): void {
    if (this.#watchers.size === 0) return;
    const text = textOf(this.#view.next());
    const now = performance.now();
    for (const watcher of this.#watchers) {
      const { response } = watcher;
      const waiting = response.writableLength;
      if (waiting === 0) watcher.upToDate = now;
      const isLate = now - watcher.upToDate > PATIENCE;
      if (isLate || waiting > MOST_WAITING) response.destroy();
      else response.write(text);
    }
  }

  /** Ends the watching: the server moves, or ends. */
  close(): void {
    this.#rest();
    for (const { response } of this.#watchers) response.end();
  }

  #rest(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

function textOf({ event, data }: Message): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
