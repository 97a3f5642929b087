import { printError, stderrIsTerminal } from "./system.ts";

/** Milliseconds between two looks at the figures. */
const PERIOD = 250;

/** How much has passed, how fast and for how long, on the terminal. */
export class Progress {
  #count: () => number;
  #begin = performance.now();
  #timer: ReturnType<typeof setInterval> | undefined;

  /** @param count gives the bytes so far */
  constructor(count: () => number) {
    this.#count = count;
  }

  /** Only where standard error is a terminal. */
  start(): void {
    if (!stderrIsTerminal()) return;
    this.#timer = setInterval(() => printError(`\r${this.#line()}`), PERIOD);
  }

  /** Leaves the last figures on a line of their own. */
  stop(): void {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    printError(`\r${this.#line()}\n`);
  }

  #line(): string {
    const seconds = (performance.now() - this.#begin) / 1000;
    const bytes = this.#count();
    const rate = amount(bytes / Math.max(seconds, 0.001));
    return `${amount(bytes)}  ${rate}/s  ${clock(seconds)}   `;
  }
}

/** Bytes for people. */
export function amount(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  let value = bytes;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value.toFixed(0) : value.toFixed(1)} ${units[unit]}`;
}

function clock(seconds: number): string {
  const whole = Math.floor(seconds);
  const pad = (part: number) => String(part).padStart(2, "0");
  return `${Math.floor(whole / 60)}:${pad(whole % 60)}`;
}
