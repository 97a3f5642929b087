/** What `max_handshakes` may be, for messages. */
export const MAX_STARTUPS_FORM =
  'a whole number, or "START:PERCENT:FULL" such as "512:30:1024"';

/**
 * How connections that have not named a service yet are kept from taking all
 * room: beyond `start` of them a new one is refused with a probability that
 * grows from `percent` to certainty at `full`. So a client in good faith has
 * a chance while others hold as many as they can (MaxStartups of
 * sshd_config(5)).
 */
export interface MaxStartups {
  readonly start: number;
  readonly percent: number;
  readonly full: number;
}

/** @returns undefined for what is none */
export function readMaxStartups(text: string): MaxStartups | undefined {
  const match = /^(\d{1,7})(?::(\d{1,3}):(\d{1,7}))?$/.exec(text);
  if (match === null) return undefined;
  const start = Number(match[1]);
  const percent = Number(match[2] ?? 100);
  const full = Number(match[3] ?? start);
  const isSound = start > 0 && percent > 0 && percent <= 100 && full >= start;
  return isSound ? { start, percent, full } : undefined;
}

/** The same in so much room. */
export function fitted(
  { start, percent, full }: MaxStartups,
  room: number,
): MaxStartups {
  if (full <= room) return { start, percent, full };
  return {
    start: Math.max(1, Math.floor(start * room / full)),
    percent,
    full: room,
  };
}

/**
 * @param count how many there are already
 * @param chance a number from 0 to below 1
 */
export function refusesStartup(
  { start, percent, full }: MaxStartups,
  count: number,
  chance: number,
): boolean {
  if (count < start) return false;
  if (count >= full) return true;
  const risk = percent + (100 - percent) * (count - start) / (full - start);
  return chance * 100 < risk;
}
