const UNITS = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 };

/** What a size is, for messages. */
export const SIZE_FORM = 'a size such as "512B", "64KiB", "256MiB" or "2GiB"';

export const SIZE = /^(\d{1,6})(B|KiB|MiB|GiB|TiB)$/;

/** A size in bytes; undefined for what is none. */
export function readSize(text: string): number | undefined {
  const [, count, unit] = SIZE.exec(text) ?? [];
  if (count === undefined) return undefined;
  return Number(count) * UNITS[unit as keyof typeof UNITS];
}
