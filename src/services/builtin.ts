/** The small services of RFC 862 to 868. */
import type { ClientConn } from "../client_conn.ts";
import { isDisconnect } from "../errors.ts";
import type { BuiltinName, BuiltinService } from "../table/service.ts";
import type { Opening } from "./opened.ts";

/** What says one thing and is done, or what goes on. */
type Builtin =
  | { readonly say: (service: BuiltinService) => Uint8Array }
  | { readonly serve: (client: ClientConn) => Promise<void> };

const BUILTINS: Record<BuiltinName, Builtin> = {
  echo: { serve: echo },
  discard: { serve: discard },
  chargen: { serve: chargen },
  daytime: { say: daytime },
  time: { say: time },
  qotd: { say: qotd },
};

export function openBuiltin(service: BuiltinService): Opening {
  const builtin = BUILTINS[service.builtin];
  return Promise.resolve({
    kind: "opened",
    message: service.message,
    first: "say" in builtin ? builtin.say(service) : undefined,
    serve: "serve" in builtin ? builtin.serve : () => Promise.resolve(),
    discard() {},
  });
}

/** RFC 862. */
async function echo(client: ClientConn): Promise<void> {
  for (let bytes; (bytes = await client.read()) !== null;) {
    await client.write(bytes);
  }
}

/** RFC 863. */
async function discard(client: ClientConn): Promise<void> {
  while (await client.read() !== null);
}

const encoder = new TextEncoder();

const LINE_LENGTH = 72;
const FIRST_CHAR = 0x20;
const CHARS = 95;

/** The lines of RFC 864, each one character further, as one block. */
const CHARGEN_BLOCK = (() => {
  let lines = "";
  for (let line = 0; line < CHARS; line++) {
    for (let column = 0; column < LINE_LENGTH; column++) {
      lines += String.fromCharCode(FIRST_CHAR + (line + column) % CHARS);
    }
    lines += "\r\n";
  }
  return encoder.encode(lines);
})();

/** RFC 864: until the client closes, which is how it is meant to end. */
async function chargen(client: ClientConn): Promise<void> {
  const ignoring = discard(client);
  ignoring.catch(() => {}); // the write below fails as well, and is told
  try {
    for (;;) await client.write(CHARGEN_BLOCK);
  } catch (error) {
    if (!isDisconnect(error)) throw error;
  }
}

const DAYS = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday".split(
  " ",
);
const MONTHS =
  ("January February March April May June July August September October " +
    "November December").split(" ");

/** RFC 867, in the first of the forms that it shows. */
function daytime(): Uint8Array {
  const now = new Date();
  const day = DAYS[now.getUTCDay()];
  const month = MONTHS[now.getUTCMonth()];
  const date = `${month} ${now.getUTCDate()}, ${now.getUTCFullYear()}`;
  const clock = now.toISOString().slice(11, 19);
  return encoder.encode(`${day}, ${date} ${clock}-UTC\r\n`);
}

/** Seconds from 1900, where RFC 868 begins, to 1970. */
const EPOCH_1900 = 2_208_988_800;

/** RFC 868: 32 bits, which begin again at 0 in February 2036. */
function time(): Uint8Array {
  const seconds = Math.floor(Date.now() / 1000) + EPOCH_1900;
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, seconds % 2 ** 32);
  return bytes;
}

/** Old sayings, for a qotd that was given none. */
const SAYINGS = [
  "Many hands make light work.",
  "A stitch in time saves nine.",
  "Still waters run deep.",
  "One swallow does not make a summer.",
  "Measure twice, cut once.",
  "Rome was not built in a day.",
  "All roads lead to Rome.",
];

/** RFC 865. */
function qotd({ quotes: own }: BuiltinService): Uint8Array {
  const quotes = own.length > 0 ? own : SAYINGS;
  const quote = quotes[Math.floor(Math.random() * quotes.length)]!;
  return encoder.encode(`${quote.trimEnd()}\r\n`);
}
