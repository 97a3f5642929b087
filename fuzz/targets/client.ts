/** `connect()` and `list()` against a server that says anything. */
import { connect } from "../../src/connect.ts";
import { list } from "../../src/library/list.ts";
import { RefusedError } from "../../src/errors.ts";
import { TcpmuxError } from "../../src/errors.ts";
import { helpText } from "../../src/wire.ts";
import { bytesOf, cuts, textOf } from "../cut.ts";
import { leadingTo, Scripted } from "../scripted.ts";
import { check, same, shown, type Target } from "../target.ts";
import { reply } from "./reply.ts";

const SERVER = "192.0.2.1:1";
/** Timers cost most of the time, and nothing here takes any. */
const TIMES = { connectTimeout: 0, replyTimeout: 0 };

/** What came of it: `code` of an error is one that is documented. */
async function outcome(doing: Promise<unknown>): Promise<unknown> {
  try {
    return await doing;
  } catch (error) {
    if (!(error instanceof TcpmuxError)) throw error;
    const { code, message } = error;
    check(
      ["protocol", "refused", "busy"].includes(code),
      () => `the code ${code}`,
    );
    check(/^[\x20-\x7e]*$/.test(message), () => `it says ${shown(message)}`);
    if (!(error instanceof RefusedError)) return { code, message };
    const { reply } = error;
    check(/^[\x20-\x7e]*$/.test(reply), () => `the reply ${shown(reply)}`);
    return { code, reply };
  }
}

export const connecting: Target = {
  ...reply,
  name: "connect",
  async check(input) {
    const dropNul = input.length % 2 === 0;
    const first = await connected([bytesOf(input)], dropNul);
    for (const way of cuts(bytesOf(input)).slice(1)) {
      same(await connected(way, dropNul), first, "another cut");
    }
    if (!("rest" in first)) return;
    const all = input.slice(input.indexOf("\n") + 1);
    const rest = dropNul ? all.replace(/^\0/, "") : all;
    same(first.rest, rest, `the bytes behind, dropNul ${dropNul}`);
  },
};

async function connected(
  pieces: readonly Uint8Array[],
  dropNul: boolean,
): Promise<{ message: string; rest: string } | { code: string }> {
  const transport = leadingTo(new Scripted(pieces));
  return await outcome((async () => {
    const options = { ...TIMES, transport, dropNul };
    const conn = await connect(SERVER, "name", options);
    let rest = "";
    for (let bytes; (bytes = await conn.read()) !== null;) {
      check(bytes.length > 0, () => "a read gives nothing, and no end");
      rest += textOf(bytes);
    }
    return { message: conn.message, rest };
  })()) as { message: string; rest: string };
}

export const listing: Target = {
  name: "list",
  inputs: 1_000_000,
  binary: true,
  words: ["HELP\r\n", "+\r\n", "-No\r\n", "\r\n", "\n", "\0", "\r", "a b", "é"],

  generate(random) {
    const names = Array.from({ length: random.size(12) }, () => {
      const length = random.oneIn(20) ? 255 : 1 + random.size(12);
      return String.fromCharCode(
        ...Array.from({ length }, () => 0x21 + random.below(94)),
      );
    });
    const head = random.pick(["", "", "+\r\n", "HELP\r\n", "+Go\n", "-No\r\n"]);
    return head + textOf(helpText(names)) + random.pick(["", "", "\0", "\r\n"]);
  },

  async check(input) {
    const first = await listed([bytesOf(input)]);
    for (const way of cuts(bytesOf(input)).slice(1)) {
      same(await listed(way), first, "another cut");
    }
    if (!Array.isArray(first)) return;
    for (const name of first) {
      check(/^[\x21-\x7e]{1,255}$/.test(name), () => `a name ${shown(name)}`);
      check(!/^help$/i.test(name), () => "HELP is a name");
    }
    // What our server would say is read as the same; a name that begins as a
    // reply does is read as one where it is the first.
    if (first.length === 0 || /^[+-]/.test(first[0])) return;
    same(await listed([helpText(first)]), first, "read back");
  },
};

async function listed(pieces: readonly Uint8Array[]): Promise<unknown> {
  const transport = leadingTo(new Scripted(pieces));
  return await outcome(list(SERVER, { ...TIMES, transport }));
}
