/**
 * The limits of xinetd and ours side by side. It ignores them for services of
 * TCPMUX, so there it serves them on ports of their own.
 */
import { describe, test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { needs } from "./support/needs.ts";
import { Netcat } from "./support/netcat.ts";
import { withServer } from "./support/server.ts";
import { until } from "./support/wait.ts";
import { withXinetdService } from "./support/xinetd.ts";

/** A service under limits, whoever serves it. */
interface Limited {
  readonly by: "xinetd" | "tcpmux";
  /** A client comes, and stays until it leaves. */
  come(from?: string): Promise<Visit>;
}

interface Visit {
  readonly isIn: boolean;
  leave(): Promise<void>;
}

function limited(by: Limited["by"], port: number): Limited {
  return {
    by,
    come: async (from = "127.0.0.1") => {
      const client = new Netcat(port, from);
      client.send(by === "tcpmux" ? "limited\r\n" : "+ from cat\n");
      const isIn = (await client.line()).startsWith("+");
      return { isIn, leave: () => client.leave() };
    },
  };
}

/** Runs `use` with the one, and then with the other. */
async function withBoth(
  { xinetd, tcpmux, zone }: {
    xinetd: string[];
    tcpmux: string[];
    zone?: string;
  },
  use: (service: Limited) => Promise<void>,
): Promise<void> {
  const env: Record<string, string> = zone === undefined ? {} : { TZ: zone };
  await withXinetdService(xinetd, (port) => use(limited("xinetd", port)), env);
  const table = `[services.limited]\nexec = ["cat"]\n${tcpmux.join("\n")}\n`;
  await withServer(table, ({ port }) => use(limited("tcpmux", port)), { env });
}

/** What becomes of one client from each of these, all of whom stay. */
async function verdicts(
  { come }: Limited,
  from: readonly string[],
): Promise<boolean[]> {
  const visits: Visit[] = [];
  for (const address of from) visits.push(await come(address));
  for (const visit of visits) await visit.leave();
  return visits.map(({ isIn }) => isIn);
}

/** Comes again and again until it is let in. */
function untilIn(service: Limited): Promise<unknown> {
  return until(`${service.by} lets a client in`, async () => {
    const visit = await service.come();
    await visit.leave();
    return visit.isIn;
  });
}

const [HERE, THERE, ELSEWHERE] = ["127.0.0.1", "127.0.0.2", "127.0.1.1"];
const DAY = 24 * 60;

/** Minutes since midnight, by the clock on the wall. */
function minuteIn(zone: string): number {
  const clock = new Intl.DateTimeFormat("en-US", {
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
    timeZone: zone,
  });
  const [hour, minute] = clock.format().split(":");
  return Number(hour) * 60 + Number(minute);
}

/** The settings of both; xinetd knows no hours that go past midnight. */
function hoursFrom(minute: number, count: number) {
  const from = (minute + DAY) % DAY;
  const to = from + count;
  const ranges = to <= DAY ? [[from, to]] : [[from, DAY], [0, to - DAY]];
  const clock = (time: number) =>
    [Math.trunc(time / 60), time % 60]
      .map((part) => String(part).padStart(2, "0")).join(":");
  const theirs = ranges.map(([a, b]) =>
    `${clock(a!)}-${b === DAY ? "23:59" : clock(b!)}`
  );
  const ours = ranges.map(([a, b]) => `"${clock(a!)}-${clock(b!)}"`);
  return {
    xinetd: [`access_times = ${theirs.join(" ")}`],
    tcpmux: [`hours = [${ours}]`],
  };
}

describe("xinetd and tcpmux agree on", needs("xinetd", "nc"), () => {
  test("instances and max_connections", () =>
    withBoth(
      { xinetd: ["instances = 2"], tcpmux: ["max_connections = 2"] },
      async (service) => {
        const first = await service.come();
        const from = [THERE, ELSEWHERE];
        assertEquals(await verdicts(service, from), [true, false], service.by);
        await first.leave();
        await untilIn(service);
      },
    ));

  test("per_source and max_connections_per_source", () =>
    withBoth(
      {
        xinetd: ["per_source = 2"],
        tcpmux: ["max_connections_per_source = 2"],
      },
      async (service) => {
        const from = [HERE, HERE, HERE, THERE, THERE, THERE, ELSEWHERE];
        assertEquals(
          await verdicts(service, from),
          [true, true, false, true, true, false, true],
          service.by,
        );
        await untilIn(service);
      },
    ));

  // xinetd divides the connections since the first of them by the seconds on
  // its clock; ours is a bucket that fills all the time. So on a slow machine
  // a few more than N get in here. Its service is closed as a whole: the port
  // refuses. Ours refuses by a reply, and its other services go on.
  test("cps = N WAIT and rate with rate_pause", () =>
    withBoth(
      {
        xinetd: ["cps = 10 2"],
        tcpmux: ['rate = "10/s"', 'rate_pause = "2s"'],
      },
      async (service) => {
        let count = 0;
        const clients = Array.from({ length: 60 }, () => service.come());
        for (const visit of await Promise.all(clients)) {
          if (visit.isIn) count++;
          await visit.leave();
        }
        assert(count >= 10 && count < 60, `${service.by} let ${count} in`);
        await untilIn(service);
      },
    ));

  const zone = "Asia/Tokyo";
  for (
    const [what, offset, isIn] of [
      ["now", -60, true],
      ["later", 240, false],
    ] as const
  ) {
    test(`access_times and hours: ${what}`, () => {
      const { xinetd, tcpmux } = hoursFrom(minuteIn(zone) + offset, 120);
      return withBoth(
        { xinetd, tcpmux: [...tcpmux, `time_zone = "${zone}"`], zone },
        async (service) => {
          assertEquals(await verdicts(service, [HERE]), [isIn], service.by);
        },
      );
    });
  }

  test("only_from and allow", () =>
    withBoth(
      {
        xinetd: ["only_from = 127.0.0.0/24 192.0.2.1"],
        tcpmux: ['allow = ["127.0.0.0/24", "192.0.2.1"]'],
      },
      async (service) => {
        const from = [HERE, THERE, ELSEWHERE];
        const expected = [true, true, false];
        assertEquals(await verdicts(service, from), expected, service.by);
      },
    ));

  test("no_access and deny", () =>
    withBoth(
      {
        xinetd: ["no_access = 127.0.0.2 127.0.1.0/24"],
        tcpmux: ['deny = ["127.0.0.2", "127.0.1.0/24"]'],
      },
      async (service) => {
        const from = [HERE, THERE, ELSEWHERE];
        const expected = [true, false, false];
        assertEquals(await verdicts(service, from), expected, service.by);
      },
    ));

  test("only_from with an exception, allow with a longer deny", () =>
    withBoth(
      {
        xinetd: ["only_from = 127.0.0.0/24", "no_access = 127.0.0.2"],
        tcpmux: ['allow = ["127.0.0.0/24"]', 'deny = ["127.0.0.2"]'],
      },
      async (service) => {
        const from = [HERE, THERE, ELSEWHERE];
        const expected = [true, false, false];
        assertEquals(await verdicts(service, from), expected, service.by);
      },
    ));
});

describe("xinetd and tcpmux differ in", needs("xinetd", "nc"), () => {
  // Its manual says that the better match wins; its access.c lets no_access
  // win. Here the longest prefix does.
  test("an address of both lists", () =>
    withBoth(
      {
        xinetd: ["only_from = 127.0.0.2", "no_access = 127.0.0.0/24"],
        tcpmux: ['allow = ["127.0.0.2"]', 'deny = ["127.0.0.0/24"]'],
      },
      async (service) => {
        const expected = [false, service.by === "tcpmux"];
        const from = [HERE, THERE];
        assertEquals(await verdicts(service, from), expected, service.by);
      },
    ));

  test("the last minute: it is within its access_times", async () => {
    const zone = "UTC";
    for (let attempt = 0; attempt < 3; attempt++) {
      const minute = minuteIn(zone);
      const from = minute === 0 ? DAY - 60 : Math.max(minute - 60, 0);
      const { xinetd, tcpmux } = hoursFrom(from, (minute || DAY) - from);
      const found: boolean[] = [];
      await withBoth(
        { xinetd, tcpmux: [...tcpmux, `time_zone = "${zone}"`], zone },
        async (service) => {
          found.push(...await verdicts(service, [HERE]));
        },
      );
      if (minuteIn(zone) !== minute) continue; // it is over by now
      // At midnight there is nothing to differ in: 24:00 is not said there.
      return assertEquals(found, minute === 0 ? [false, false] : [true, false]);
    }
    throw new Error("each attempt took more than a minute");
  });
});
