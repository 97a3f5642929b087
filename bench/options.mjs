// The command line of the benchmark.
import { parseArgs } from "node:util";
import { STEADY_ROUNDS } from "./namespace.mjs";

export const HELP = `npm run bench [-- OPTION…]

Measures tcpmux on Bun, Deno and Node beside a relay in C and what else the
machine has, and writes bench/RESULTS.md, results.svg and results.json.

All of it is measured in the machine's own network, with the congestion control
that this has. Some, as BBR, pace what is sent. So what is called unpaced-… is
measured once more in a network namespace with TCP Reno, and so is all of the
short form, which is held against earlier runs. That takes root: without it
nothing unpaced is measured, and the short form in the machine's own network.

  --short             some scenarios of tcpmux and the C relay, 3 rounds
  --only=ID,…         these scenarios (all that begin with one of the words)
  --peers=ID,…        these peers, and always the C relay
  --repeat=N          rounds; 5, or ${STEADY_ROUNDS} with --short and of what is unpaced
  --seconds=S         of each measurement; 0.8
  --beside=REV        also tcpmux as it was at that revision of git, on Bun,
                      Deno and Node, and the ratios of the two; with --short or
                      --only nothing but those, unless --peers names more
  --no-write          only print
  --json=FILE         what was measured, there too
  --record            with --short: renew its ratios in results.json
  --check             as --short; fails if a ratio to the C relay is more than
                      30 % below the one that results.json has of it
  --help              this

Only a whole run writes files, and ends with --short --record; with --only or
--peers it prints. It takes gcc, the headers of OpenSSL
(libssl-dev) and about 40 minutes, --short two. These say
whether something has become slower or takes more memory, in five minutes, and
the second, of what tells most, in three:

  npm run bench -- --short --beside=REV
  npm run bench -- --only=handshake-proxied,rtt-32,idle-worked --beside=REV
`;

export class UsageError extends Error {}

/** What the command line says, or a UsageError. */
export function readOptions(args) {
  let values;
  try {
    values = parseArgs({
      args,
      options: {
        short: { type: "boolean", default: false },
        only: { type: "string" },
        peers: { type: "string" },
        beside: { type: "string" },
        repeat: { type: "string" },
        seconds: { type: "string", default: "0.8" },
        "no-write": { type: "boolean", default: false },
        json: { type: "string" },
        record: { type: "boolean", default: false },
        check: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    }).values;
  } catch (error) {
    throw new UsageError(error.message);
  }
  const short = values.short || values.check;
  if (values.record && (!values.short || values.check)) {
    throw new UsageError("--record goes with --short alone");
  }
  const steadyRepeat = Number(values.repeat ?? STEADY_ROUNDS);
  const repeat = short ? steadyRepeat : Number(values.repeat ?? 5);
  const seconds = Number(values.seconds);
  if (!Number.isInteger(repeat) || repeat < 1) {
    throw new UsageError(`--repeat is a number from 1 on: ${values.repeat}`);
  }
  if (!(seconds >= 0.1 && seconds <= 60)) {
    throw new UsageError(`--seconds is from 0.1 to 60: ${values.seconds}`);
  }
  const partial = values.only !== undefined || values.peers !== undefined;
  if (values.record && partial) {
    throw new UsageError("--record takes all of the short form");
  }
  if (values.beside !== undefined && (values.check || values.record)) {
    throw new UsageError("--beside goes neither with --check nor --record");
  }
  return {
    help: values.help,
    short,
    only: values.only?.split(","),
    peers: values.peers?.split(","),
    beside: values.beside,
    repeat,
    steadyRepeat,
    seconds,
    json: values.json,
    check: values.check,
    record: values.record,
    write: !values["no-write"] && !short && !partial,
  };
}
