const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** What a duration is, for messages. */
export const DURATION_FORM =
  'a duration such as "500ms", "10s", "5m" or "1h", or 0 for none';

export const DURATION = /^(\d{1,9})(ms|s|m|h)$/;

/** A duration in milliseconds; undefined for what is none. */
export function readDuration(text: string): number | undefined {
  if (text === "0") return 0;
  const [, count, unit] = DURATION.exec(text) ?? [];
  if (count === undefined) return undefined;
  return Number(count) * UNITS[unit as keyof typeof UNITS];
}
