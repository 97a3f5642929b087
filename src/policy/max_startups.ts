/** The form of `max_handshakes`, for messages. */
export const MAX_STARTUPS_FORM =
  'a whole number, or "START:PERCENT:FULL" such as "512:30:1024"';

/**
 * The limit on connections that have not named a service yet. From `start` of
 * them on, a new one is refused at random: with a probability of `percent` at
 * first, which grows to certainty at `full`. So an honest client has a chance
 * while an attacker opens as many connections as it can (as MaxStartups in
 * sshd_config(5)).
 */
export interface MaxStartups {
  readonly start: number;
  readonly percent: number;
  readonly full: number;
}

/** @returns undefined if the text has another form */
export function readMaxStartups(text: string): MaxStartups | undefined {
  const match = /^(\d{1,7})(?::(\d{1,3}):(\d{1,7}))?$/.exec(text);
  if (match === null) return undefined;
  const start = Number(match[1]);
  const percent = Number(match[2] ?? 100);
  const full = Number(match[3] ?? start);
  const isSound = start > 0 && percent > 0 && percent <= 100 && full >= start;
  return isSound ? { start, percent, full } : undefined;
}

/** The limit, scaled down so that `full` is at most `room`. */
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
 * @param count how many connections have not named a service yet
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
