import { describe, test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import {
  Hours,
  isTimeZone,
  readHours,
  warnOfZone,
} from "../src/policy/hours.ts";

function hours(zone: string, ...texts: string[]): Hours {
  return new Hours(
    texts.map((text) => {
      const range = readHours(text);
      assert(typeof range !== "string", `${text}: ${range}`);
      return range;
    }),
    zone,
  );
}

/** Monday, 5 January 2026, in UTC. */
const at = (day: number, hour: number, minute = 0, second = 0) =>
  Date.UTC(2026, 0, 5 + day, hour, minute, second);

describe("hours", () => {
  const cases: [string, string, number, boolean][] = [
    ["08:00-18:00", "begin with their first minute", at(0, 8), true],
    ["08:00-18:00", "do not begin before", at(0, 7, 59, 59), false],
    ["08:00-18:00", "last to before their end", at(0, 17, 59, 59), true],
    ["08:00-18:00", "are over at their end", at(0, 18), false],
    ["22:00-06:00", "go past midnight", at(0, 23), true],
    ["22:00-06:00", "go on after midnight", at(0, 5, 59), true],
    ["22:00-06:00", "leave the day out", at(0, 12), false],
    ["00:00-24:00", "may be all day", at(0, 23, 59, 59), true],
    ["mon-fri 08:00-18:00", "may be of some days", at(4, 12), true],
    ["mon-fri 08:00-18:00", "and not of others", at(5, 12), false],
    ["sat,mon 08:00-18:00", "may list days", at(0, 12), true],
    ["sat,mon 08:00-18:00", "and no others", at(1, 12), false],
    ["sat-mon 08:00-18:00", "may go past Sunday", at(6, 12), true],
    ["fri 22:00-06:00", "belong to the day they begin on", at(5, 3), true],
    ["fri 22:00-06:00", "and not to the day they end on", at(5, 23), false],
    ["sun 22:00-06:00", "go from one week to the next", at(7, 3), true],
  ];
  for (const [text, what, now, expected] of cases) {
    test(`${text} ${what}`, () => {
      assertEquals(hours("UTC", text).include(now), expected);
    });
  }

  test("may be several", () => {
    const both = hours("UTC", "08:00-12:00", "13:00-18:00");
    assertEquals([9, 12, 13].map((hour) => both.include(at(0, hour))), [
      true,
      false,
      true,
    ]);
  });

  test("are those of a time zone, summer time and all", () => {
    const berlin = hours("Europe/Berlin", "08:00-18:00");
    assertEquals(berlin.include(Date.UTC(2026, 0, 5, 7)), true);
    assertEquals(berlin.include(Date.UTC(2026, 0, 5, 17)), false);
    assertEquals(berlin.include(Date.UTC(2026, 6, 6, 6)), true);
    assertEquals(berlin.include(Date.UTC(2026, 6, 6, 16)), false);
    assert(isTimeZone("Asia/Kolkata"));
    assert(!isTimeZone("Europe/Atlantis"));
  });

  for (
    const text of [
      "",
      "8:00-18:00",
      "08:00",
      "08:00-25:00",
      "08:60-09:00",
      "24:00-08:00",
      "08:00-08:00",
      "someday 08:00-18:00",
      "mon- 08:00-18:00",
      "mon-tue-wed 08:00-18:00",
      "08:00-24:01",
    ]
  ) {
    test(`are not ${JSON.stringify(text)}`, () => {
      assertEquals(typeof readHours(text), "string");
    });
  }
});

describe("a TZ that is no name of a zone", () => {
  const own = hours("UTC", "08:00-18:00");
  const ofSystem = new Hours([]);
  const cases: [string, Hours | undefined, number][] = [
    ["CET-1CEST,M3.5.0,M10.5.0/3", ofSystem, 1],
    ["JST-9", ofSystem, 1],
    ["Europe/Berlin", ofSystem, 0],
    [":Europe/Berlin", ofSystem, 0],
    ["", ofSystem, 0],
    ["JST-9", own, 0],
    ["JST-9", undefined, 0],
  ];
  for (const [tz, some, warnings] of cases) {
    const which = some === ofSystem ? "hours without" : "no hours, or with";
    test(`${tz || "none"}, ${which} a zone: ${warnings} warnings`, () => {
      const said: unknown[] = [];
      warnOfZone([undefined, some], tz, (level) => said.push(level));
      assertEquals(said, Array(warnings).fill("warn"));
    });
  }
});
