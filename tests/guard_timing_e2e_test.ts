/** Whether time tells a forbidden name from one that nobody has. */
// Runs alone: load would hide what it looks for.
import { describe, test } from "node:test";
import { assert } from "@std/assert";
import { bytes, readLine } from "./support/bytes.ts";
import { connectTo } from "./support/client.ts";
import { withServer } from "./support/server.ts";
import { sleep } from "./support/wait.ts";

const SAMPLES = 250;

/**
 * How far from a half the chance may be that one name takes longer than the
 * other. By chance alone it is 0.03 off now and then, and never 0.15.
 */
const TOLERANCE = 0.15;

const TABLE = `
[services.open]
text = "x"
[services.secret]
exec = ["cat"]
deny = ["any"]
[services.closed]
connect = "127.0.0.1:9"
enabled = false
`;

/** Milliseconds until the reply to that name is there. */
async function timeOf(
  port: number,
  name: string,
  delay: number,
): Promise<number> {
  const conn = await connectTo(port);
  const start = performance.now();
  await conn.write(bytes(`${name}\r\n`));
  await readLine(conn);
  if (delay > 0) await sleep(delay);
  const time = performance.now() - start;
  conn.close();
  return time;
}

/** Samples of both in a random order, so that both meet the same noise. */
async function compare(
  port: number,
  [one, other]: readonly [string, string],
  { delay = 0, samples = SAMPLES } = {},
): Promise<number> {
  const times: [number[], number[]] = [[], []];
  for (let i = 0; i < samples; i++) {
    const first = Math.random() < 0.5;
    for (const isOne of [first, !first]) {
      const time = await timeOf(port, isOne ? one : other, isOne ? delay : 0);
      times[isOne ? 0 : 1].push(time);
    }
  }
  return chanceOfLonger(...times);
}

/** The chance that one of `a` is longer than one of `b` (Mann and Whitney). */
function chanceOfLonger(a: readonly number[], b: readonly number[]): number {
  let wins = 0;
  for (const x of a) {
    for (const y of b) wins += x > y ? 1 : x === y ? 0.5 : 0;
  }
  return wins / (a.length * b.length);
}

describe("the time to a refusal", () => {
  const pairs = [
    ["secret", "nothing"],
    ["closed", "nothing"],
    ["secret", "closed"],
  ] as const;
  for (const pair of pairs) {
    test(`does not tell ${pair.join(" from ")}`, () =>
      withServer(TABLE, async ({ port }) => {
        await compare(port, pair, { samples: 50 }); // warms up
        const chance = await compare(port, pair);
        const message = `${pair[0]} takes longer: ${chance}`;
        assert(Math.abs(chance - 0.5) < TOLERANCE, message);
      }));
  }

  test("would tell if one took 2 ms longer", () =>
    withServer(TABLE, async ({ port }) => {
      const chance = await compare(port, ["nothing", "nothing"], { delay: 2 });
      assert(chance > 0.5 + TOLERANCE, `it is taken for equal: ${chance}`);
    }));
});
