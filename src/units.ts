/** What people write and read: durations, sizes, and the word that was meant. */
import { closestString, levenshteinDistance } from "@std/text";

const DURATION_UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/**
 * A time as people write it, such as `"500ms"`, `"10s"`, `"5m"` or `"1h"`, or a
 * whole number of milliseconds; 0 is for none.
 */
export type Duration =
  | number
  | "0"
  | `${number}ms`
  | `${number}s`
  | `${number}m`
  | `${number}h`;

/** The form of a duration, for messages. */
export const DURATION_FORM =
  'a duration such as "500ms", "10s", "5m" or "1h", or 0';

export const DURATION = /^(\d{1,9})(ms|s|m|h)$/;

/** Milliseconds; undefined where the text is no duration. */
export function readDuration(text: string): number | undefined {
  if (text === "0") return 0;
  const [, count, unit] = DURATION.exec(text) ?? [];
  if (count === undefined) return undefined;
  return Number(count) * DURATION_UNITS[unit as keyof typeof DURATION_UNITS];
}

/**
 * The milliseconds of a duration that a program has given.
 *
 * @param option its name, for the message
 * @throws {TypeError} for what is no duration
 */
export function millisecondsOf(option: string, value: Duration): number {
  const given: unknown = value; // the caller's types may not have been checked
  const read = typeof given === "string" ? readDuration(given) : given;
  if (Number.isSafeInteger(read) && read as number >= 0) return read as number;
  throw new TypeError(
    `${option} is ${JSON.stringify(given) ?? String(given)}; allowed: ` +
      `${DURATION_FORM}, or a whole number of milliseconds`,
  );
}

/** The text of so many milliseconds, which {@linkcode readDuration} reads. */
export function durationText(milliseconds: number): string {
  // A duration has nine digits at the most.
  return milliseconds < 1e9
    ? `${milliseconds}ms`
    : `${Math.ceil(milliseconds / 1000)}s`;
}

const SIZE_UNITS = {
  B: 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

/** The form of a size, for messages. */
export const SIZE_FORM = 'a size such as "512B", "64KiB", "256MiB" or "2GiB"';

export const SIZE = /^(\d{1,6})(B|KiB|MiB|GiB|TiB)$/;

/** Bytes; undefined where the text is no size. */
export function readSize(text: string): number | undefined {
  const [, count, unit] = SIZE.exec(text) ?? [];
  if (count === undefined) return undefined;
  return Number(count) * SIZE_UNITS[unit as keyof typeof SIZE_UNITS];
}

/** The word that was probably meant, or undefined where none is similar. */
export function nearest(
  given: string,
  words: readonly string[],
): string | undefined {
  // A word of another length is not similar, and would take long to compare.
  const alike = words.filter((word) =>
    Math.abs(word.length - given.length) <= allowance(word)
  );
  if (alike.length === 0) return undefined;
  const word = closestString(given, alike);
  const distance = levenshteinDistance(given.toLowerCase(), word.toLowerCase());
  return distance <= allowance(word) ? word : undefined;
}

/** How many letters of a word may be wrong. */
function allowance(word: string): number {
  return Math.max(1, Math.floor(word.length / 3));
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

/** Hours, where there are any, minutes and seconds: `0:07`, `12:00:07`. */
export function clock(seconds: number): string {
  const whole = Math.floor(seconds);
  const pad = (part: number) => String(part).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60)];
  const behind = pad(whole % 60);
  return hours === 0
    ? `${minutes}:${behind}`
    : `${hours}:${pad(minutes % 60)}:${behind}`;
}
