/** The small services of RFC 862 to 868. */
import type { BuiltinName, BuiltinService } from "../table/service.ts";
import type { StreamConn } from "../transport/stream_conn.ts";
import { Handling } from "./handler.ts";
import type { Opening, SessionContext } from "./service.ts";
import { Answer } from "./text.ts";

/** A service that sends one answer, or a function that goes on. */
type Builtin =
  | { readonly say: (service: BuiltinService) => Uint8Array }
  | {
    readonly serve: (conn: StreamConn) => Promise<void>;
    readonly endsWithClient?: boolean;
  };

const IMPLEMENTATIONS: Record<BuiltinName, Builtin> = {
  echo: { serve: echo },
  discard: { serve: discard },
  chargen: { serve: chargen, endsWithClient: true },
  daytime: { say: daytime },
  time: { say: time },
  qotd: { say: qotd },
};

export function openBuiltin(
  service: BuiltinService,
  context: SessionContext,
): Opening {
  const builtin = IMPLEMENTATIONS[service.builtin];
  const { name, message } = service;
  return Promise.resolve(
    "say" in builtin ? new Answer(message, builtin.say(service)) : new Handling(
      { name, message, handler: builtin.serve },
      context,
      builtin.endsWithClient,
    ),
  );
}

/** RFC 862. */
async function echo(conn: StreamConn): Promise<void> {
  for (let bytes; (bytes = await conn.read()) !== null;) {
    await conn.write(bytes);
  }
}

/** RFC 863. */
async function discard(conn: StreamConn): Promise<void> {
  while (await conn.read() !== null);
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

/** RFC 864: goes on until the client closes, which is its regular end. */
async function chargen(conn: StreamConn): Promise<void> {
  const ignoring = discard(conn);
  ignoring.catch(() => {}); // the write below fails as well
  for (;;) await conn.write(CHARGEN_BLOCK);
}

const DAYS = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday".split(
  " ",
);
const MONTHS =
  ("January February March April May June July August September October " +
    "November December").split(" ");

/** RFC 867, in the first of the forms that it suggests. */
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

/** RFC 868: 32 bits, which overflow to 0 in February 2036. */
function time(): Uint8Array {
  const seconds = Math.floor(Date.now() / 1000) + EPOCH_1900;
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, seconds % 2 ** 32);
  return bytes;
}

/** The texts of a qotd whose table has no `quotes`. */
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
