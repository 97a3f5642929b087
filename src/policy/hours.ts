import type { Log } from "../log.ts";

/** The form of a range of hours, for messages. */
export const HOURS_FORM =
  'hours such as "08:00-18:00", "22:00-06:00" or "mon-fri 08:00-18:00"';

const DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const DAY_MINUTES = 24 * 60;

/** A time of the day, on some days of the week. */
export interface HourRange {
  /** Whether the range begins on a day, from Sunday to Saturday. */
  readonly days: readonly boolean[];
  /** The first minute of the range, counted from midnight. */
  readonly from: number;
  /** The first minute after it; on the next day if that is less than `from`. */
  readonly to: number;
}

/** @returns the range, or what is wrong with the text */
export function readHours(text: string): HourRange | string {
  const match = /^(?:([a-z,-]+) )?(\d\d):(\d\d)-(\d\d):(\d\d)$/i.exec(text);
  if (match === null) return "it does not have this form";
  const days = match[1] === undefined
    ? DAYS.map(() => true)
    : readDays(match[1].toLowerCase());
  if (days === undefined) return `the days are ${DAYS.join(", ")}`;
  const [from, to] = [
    minuteOf(match[2]!, match[3]!),
    minuteOf(match[4]!, match[5]!),
  ];
  if (from === undefined || to === undefined || from === DAY_MINUTES) {
    return "a time must be from 00:00 to 23:59, or 24:00 at the end";
  }
  return from === to
    ? "it begins and ends at the same time"
    : { days, from, to };
}

function minuteOf(hours: string, minutes: string): number | undefined {
  const minute = Number(hours) * 60 + Number(minutes);
  return Number(minutes) < 60 && minute <= DAY_MINUTES ? minute : undefined;
}

/** Reads `mon`, `mon-fri` or `fri-mon`, or several of these with commas. */
function readDays(text: string): boolean[] | undefined {
  const days = DAYS.map(() => false);
  for (const part of text.split(",")) {
    const [first, last, ...more] = part.split("-").map((day) =>
      DAYS.indexOf(day)
    );
    if (first === undefined || first < 0 || more.length > 0) return undefined;
    const end = last ?? first;
    if (end < 0) return undefined;
    for (let day = first;; day = (day + 1) % 7) {
      days[day] = true;
      if (day === end) break;
    }
  }
  return days;
}

/** Whether the system knows this time zone, such as `Europe/Berlin`. */
export function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en-US", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

/** When a service is open, by the local time of a time zone. */
export class Hours {
  /** Whether they go by the time zone of the system. */
  readonly areOfSystem: boolean;
  #ranges: readonly HourRange[];
  #clock: Intl.DateTimeFormat;

  /** @param timeZone the system's own if it is undefined */
  constructor(ranges: readonly HourRange[], timeZone?: string) {
    this.areOfSystem = timeZone === undefined;
    this.#ranges = ranges;
    this.#clock = new Intl.DateTimeFormat("en-US", {
      weekday: "short",
      hour: "2-digit",
      minute: "2-digit",
      hourCycle: "h23",
      ...(timeZone === undefined ? {} : { timeZone }),
    });
  }

  /** The local time that decides, as people read it: `Mon 08:00 Europe/Berlin`. */
  clockAt(now: number): string {
    const { weekday, hour, minute } = this.#parts(now);
    const { timeZone } = this.#clock.resolvedOptions();
    return `${weekday} ${hour}:${minute} ${timeZone}`;
  }

  /** @param now milliseconds since 1970 */
  include(now: number): boolean {
    const { weekday, hour, minute } = this.#parts(now);
    const today = DAYS.indexOf(weekday!.toLowerCase());
    const yesterday = (today + 6) % 7;
    const time = Number(hour) * 60 + Number(minute);
    return this.#ranges.some(({ days, from, to }) =>
      from < to
        ? days[today] && time >= from && time < to
        : days[today] && time >= from || days[yesterday] && time < to
    );
  }

  #parts(now: number): Record<string, string> {
    return Object.fromEntries(
      this.#clock.formatToParts(now).map(({ type, value }) => [type, value]),
    );
  }
}

/**
 * Warns where hours go by a time zone that the runtime does not know: `TZ` may
 * hold rules, as `CET-1CEST,M3.5.0,M10.5.0/3` (tzset(3)), and runtimes know the
 * names of zones, and take most others for UTC.
 *
 * @param tz the variable `TZ`
 */
export function warnOfZone(
  hours: readonly (Hours | undefined)[],
  tz: string | undefined,
  log: Log,
): void {
  const name = tz?.replace(/^:/, "") ?? "";
  if (name === "" || isTimeZone(name)) return;
  if (!hours.some((some) => some?.areOfSystem)) return;
  log("warn", "TZ is not the name of a time zone", {
    tz: name,
    zone: new Intl.DateTimeFormat().resolvedOptions().timeZone,
    reason: "hours without time_zone may be wrong: set server.time_zone, " +
      'for example to "Europe/Berlin"',
  });
}
