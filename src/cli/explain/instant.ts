/** Times as people write them, by the clock of a time zone. */

const TIME = /^([01]\d|2[0-3]):([0-5]\d)$/;
const ISO =
  /^(\d{4}-\d\d-\d\d)(?:[T ]([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?)?(Z|[+-]\d\d:?\d\d)?$/i;

/** The form of a time, for messages. */
export const INSTANT_FORM =
  'a time of today such as "03:00", or ISO 8601 such as "2026-12-24T18:00" or ' +
  '"2026-12-24T18:00Z"';

/**
 * Reads `HH:MM`, which is today, or a date and time, which are those of the
 * time zone unless they say another.
 *
 * @param timeZone by default the system's own
 * @param now milliseconds since 1970
 * @returns milliseconds since 1970; undefined where the text is no time
 */
export function readInstant(
  text: string,
  timeZone: string | undefined,
  now: number,
): number | undefined {
  if (TIME.test(text)) {
    const today = new Date(now + offset(timeZone, now)).toISOString();
    return readInstant(`${today.slice(0, 10)}T${text}`, timeZone, now);
  }
  const [, date, hours = "00", minutes = "00", seconds = "00", zone] =
    ISO.exec(text) ?? [];
  if (date === undefined) return undefined;
  const [, hour = "", minute = ""] = /^([+-]\d\d):?(\d\d)$/.exec(zone ?? "") ??
    [];
  const suffix = hour === "" ? "Z" : `${hour}:${minute}`;
  const at = Date.parse(`${date}T${hours}:${minutes}:${seconds}${suffix}`);
  // JavaScript takes the 30th of February for a day in March.
  const isDay = new Date(`${date}T00:00Z`).toJSON()?.startsWith(date);
  if (Number.isNaN(at) || !isDay) return undefined;
  if (zone !== undefined) return at;
  return at - offset(timeZone, at - offset(timeZone, at));
}

/** By how many milliseconds the clock of a time zone is ahead of UTC. */
function offset(timeZone: string | undefined, at: number): number {
  const clock = new Intl.DateTimeFormat("en-US", {
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hourCycle: "h23",
    ...(timeZone === undefined ? {} : { timeZone }),
  });
  const { year, month, day, hour, minute, second } = Object.fromEntries(
    clock.formatToParts(at).map(({ type, value }) => [type, Number(value)]),
  );
  const local = Date.UTC(year!, month! - 1, day, hour, minute, second);
  return local - Math.floor(at / 1000) * 1000;
}
