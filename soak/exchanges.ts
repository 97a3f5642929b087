/** What a client does with a server, to its end. Each throws on a wrong byte. */
import { createHash } from "node:crypto";
import type { Random } from "../tests/support/random.ts";
import { sleep } from "../tests/support/wait.ts";
import type { ServiceLink } from "./link.ts";
import { type Payload, payloadOf } from "./payload.ts";
import { COMING_AND_GOING } from "./table.ts";
import { assertIs, type World } from "./world.ts";

export type Exchange = (world: World, random: Random) => Promise<void>;

const ECHOES = [
  ...["echo", "cat", "cat-on-socket", "upstream", "chained", "chained-cat"],
  ...["limited", "rated"],
];
const SUMS = ["sum", "sum-on-socket", "upstream-sum"];
const LIMITED = ["limited", "rated"];

/** All that is sent comes back: both directions at once, then their ends. */
export const roundTrip: Exchange = async (world, random) => {
  const service = random.pick(ECHOES);
  const payload = payloadOf(random);
  const link = await open(world, random, service, payload);
  if (link === undefined) return;
  const receiving = receive(link, random.oneIn(10) ? random : undefined);
  const sending = send(link, payload, random);
  const [received] = await Promise.all([receiving, sending]);
  assertIs(received.count, payload.length, `${service}: bytes back`);
  assertIs(received.digest, payload.digest(), `${service}: digest`);
  finish(world, link, service, payload.length, received.count);
};

/** The service says at the end what it has got. */
export const upload: Exchange = async (world, random) => {
  const service = random.pick(SUMS);
  const payload = payloadOf(random);
  const link = await open(world, random, service, payload);
  if (link === undefined) return;
  const [answer] = await Promise.all([
    link.readAll(),
    send(link, payload, random),
  ]);
  assertIs(answer, `${payload.digest()}  -\n`, service);
  finish(world, link, service, payload.length, answer.length);
};

/** What is sent is dropped, and the end comes back. */
export const discard: Exchange = async (world, random) => {
  const payload = payloadOf(random);
  const link = await open(world, random, "discard", payload);
  if (link === undefined) return;
  await send(link, payload, random);
  assertIs(await link.readAll(), "", "discard");
  finish(world, link, "discard", payload.length, 0);
};

/** What is answered without a word of ours. */
export const answer: Exchange = async (world, random) => {
  const [service, pattern] = random.pick(ANSWERS);
  const link = await world.ask(service, random);
  if (link === undefined) return;
  const text = `${link.reply}\n${await link.readAll()}`;
  if (!pattern.test(text)) throw new Error(`${service}: ${text}`);
  link.conn.close();
};

const ANSWERS: [string, RegExp][] = [
  ["daytime", /^\+Go\n\w+, \w+ \d+, \d+ \d\d:\d\d:\d\d-UTC\r\n$/],
  ["TIME", /^\+Go\n[^]{4}$/],
  ["qotd", /^\+Go\nmeasure twice\r\n$/],
  ["generation", /^\+Go\ngeneration \d+$/],
  ["nothing", /^-Service not available\n$/],
  ["n".repeat(255), /^-Service not available\n$/],
  ["n".repeat(256), /^-Malformed service name\n$/],
  ["a\0b", /^-Malformed service name\n$/],
  ["", /^-Malformed service name\n$/],
  ["dead", /^-Service temporarily unavailable\n$/],
  ["missing", /^-Service temporarily unavailable\n$/],
  ["chained-to-nothing", /^-Service not available\n$/],
  ...COMING_AND_GOING.map((name): [string, RegExp] => [
    name,
    new RegExp(`^(\\+Go\n${name}|-Service not available\n)$`),
  ]),
];

/** The names, of which some come and go. */
export const help: Exchange = async (world, random) => {
  const link = await world.ask("HELP", random);
  if (link === undefined) return;
  const names = `${link.reply}\n${await link.readAll()}`.split(/\r?\n/);
  for (const name of [...ECHOES, ...SUMS, "chargen", ""]) {
    if (!names.includes(name)) throw new Error(`HELP without "${name}"`);
  }
  const spare = names.filter((name) => COMING_AND_GOING.includes(name));
  assertIs(spare.length, 1, `HELP has ${spare}`);
  link.conn.close();
};

/** A service that may be asked for with bytes behind its name. */
async function open(
  world: World,
  random: Random,
  service: string,
  payload: Payload,
): Promise<Opened | undefined> {
  const early = random.oneIn(4) ? payload.head(random.size(8192)) : undefined;
  const mayBeBusy = LIMITED.includes(service);
  const link = await world.ask(service, random, {
    mayBeBusy,
    ...(early === undefined ? {} : { early }),
  });
  if (link === undefined) return undefined;
  assertIs(link.reply, "+Go", `${service}: reply`);
  return Object.assign(link, { early: early?.length ?? 0 });
}

type Opened = ServiceLink & { readonly early: number };

async function send(
  link: Opened,
  payload: Payload,
  random: Random,
): Promise<void> {
  const most = random.pick([1400, 16_384, 65_536, 262_144]);
  const pieces = payload.pieces(() => 1 + random.below(most), link.early);
  for (const piece of pieces) {
    await link.conn.write(piece);
    if (random.oneIn(50)) await sleep(random.below(10));
  }
  await link.conn.closeWrite();
}

/** @param slowly stops reading now and then, so that the server has to wait */
async function receive(
  link: ServiceLink,
  slowly: Random | undefined,
): Promise<{ count: number; digest: string }> {
  const hash = createHash("sha256");
  let count = 0;
  for (let bytes; (bytes = await link.read()) !== null;) {
    hash.update(bytes);
    count += bytes.length;
    if (slowly?.oneIn(4)) await sleep(slowly.below(30));
  }
  return { count, digest: hash.digest("hex") };
}

function finish(
  world: World,
  link: ServiceLink,
  service: string,
  sent: number,
  received: number,
): void {
  link.conn.close();
  world.counts.bytesSent += sent;
  world.counts.bytesReceived += received;
  // Of a program that has the socket itself nobody counts.
  if (service.endsWith("-on-socket")) return;
  world.watch.carried(link.port, { service, sent, received });
}
