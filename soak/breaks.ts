/** What clients do that never see the end: they go, or never come to a point. */
import { pattern } from "../tests/support/bytes.ts";
import type { Random } from "../tests/support/random.ts";
import { sleep } from "../tests/support/wait.ts";
import type { Exchange } from "./exchanges.ts";
import { answered, connectTo, type ServiceLink } from "./link.ts";
import { payloadOf } from "./payload.ts";
import { assertIs } from "./world.ts";

const SERVICES = [
  ...["echo", "cat", "cat-on-socket", "sum", "upstream", "chained-cat"],
  ...["chained", "chargen", "discard", "upstream-sum"],
];

/** Goes in the middle of sending, while the service may be sending too. */
export const breakOff: Exchange = async (world, random) => {
  const link = await world.ask(random.pick(SERVICES), random);
  if (link === undefined) return;
  assertIs(link.reply, "+Go", "reply");
  const payload = payloadOf(random);
  const stop = random.below(payload.length + 1);
  try {
    let sent = 0;
    const reading = random.oneIn(2) ? link.read() : undefined;
    reading?.catch(() => {});
    for (const piece of payload.pieces(() => 1 + random.below(65_536))) {
      if ((sent += piece.length) > stop) break;
      // A service that says much and is not listened to takes no more.
      await Promise.race([link.conn.write(piece), sleep(200)]);
    }
    if (random.oneIn(3)) await sleep(random.below(100));
  } finally {
    leave(link, random);
  }
  world.counts.aborts++;
};

/** Reads some of what has no end, checks it, and goes. */
export const chargen: Exchange = async (world, random) => {
  const link = await world.ask("chargen", random);
  if (link === undefined) return;
  const wanted = random.size(2 ** 20);
  let at = 0;
  for (let bytes; at < wanted && (bytes = await link.read()) !== null;) {
    for (const byte of bytes) {
      if (byte !== CHARGEN[at++ % CHARGEN.length]) {
        throw new Error(`chargen: the byte ${at - 1} is wrong`);
      }
    }
  }
  if (at < wanted) throw new Error(`chargen ended after ${at} bytes`);
  world.counts.bytesReceived += at;
  leave(link, random);
  world.counts.aborts++;
};

/** RFC 864 as it was, written down once more. */
const CHARGEN = Buffer.from(
  Array.from({ length: 95 }, (_, line) => {
    const codes = pattern(72).map((column) => 32 + (line + column) % 95);
    return `${String.fromCharCode(...codes)}\r\n`;
  }).join(""),
);

/** Comes, and has not said what it wants when it goes. */
export const noWord: Exchange = async (world, random) => {
  const conn = await connectTo(world.port);
  try {
    if (random.oneIn(2)) await conn.write(Buffer.from("ech"));
    if (random.oneIn(3)) await sleep(random.below(50));
    if (random.oneIn(3)) await conn.closeWrite();
  } finally {
    if (random.oneIn(2)) conn.abort();
    else conn.close();
  }
  world.counts.aborts++;
};

/** Holds the connection without a whole line, longer than that may take. */
export const tooSlow: Exchange = async (world) => {
  const begun = performance.now();
  const conn = await connectTo(world.port);
  await conn.write(Buffer.from("ech"));
  const { reply } = await answered(conn);
  conn.close();
  if (world.isTight(begun)) return;
  assertIs(reply, "-Timed out waiting for a service name", "slow line");
};

function leave(link: ServiceLink, random: Random): void {
  if (random.oneIn(2)) link.conn.abort();
  else link.conn.close();
}
