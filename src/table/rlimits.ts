/** What a program may use: each value of `rlimits` in a service. */
import * as z from "zod";
import { readDuration } from "../units.ts";
import { readSize, SIZE, SIZE_FORM } from "../units.ts";
import { count } from "./values.ts";

const UNLIMITED = z.literal("unlimited");

/** As many as there can be on Linux. */
const MOST_PROCESSES = 4_194_304;

function processes(purpose: string) {
  const error = `a whole number from 1 to ${MOST_PROCESSES}, or "unlimited"`;
  return z.union([
    z.int({ error }).min(1, { error }).max(MOST_PROCESSES, { error }),
    UNLIMITED,
  ], { error }).transform((value) => value === "unlimited" ? Infinity : value)
    .describe(purpose);
}

function size(purpose: string) {
  const error = `${SIZE_FORM}, 0, or "unlimited"`;
  return z.union(
    [z.literal(0), UNLIMITED, z.string().regex(SIZE, { error })],
    { error },
  ).transform((value) =>
    value === "unlimited" ? Infinity : value === 0 ? 0 : readSize(value)!
  ).describe(purpose);
}

/** The system counts whole seconds. */
function seconds(purpose: string) {
  const error = 'a time of whole seconds such as "10s", "5m" or "1h", ' +
    'or "unlimited"';
  return z.union(
    [UNLIMITED, z.string().regex(/^[1-9]\d{0,8}(s|m|h)$/, { error })],
    { error },
  ).transform((value) =>
    value === "unlimited" ? Infinity : readDuration(value)! / 1000
  ).describe(purpose);
}

/** A number, the seconds or the bytes; Infinity where there is no limit. */
export const rlimitsSchema = z.strictObject({
  files: count(1_000_000_000).describe("Descriptors, open at a time.")
    .optional(),
  processes: processes(
    "Processes and threads of its user at a time, of all programs together.",
  ).optional(),
  cpu: seconds(
    "Processor time of each of its processes: SIGXCPU at it, SIGKILL a " +
      "second later.",
  ).optional(),
  memory: size("Address space of each of its processes.").optional(),
  data: size("Data segment: what is allocated and may be written to.")
    .optional(),
  stack: size("The stack.").optional(),
  file_size: size("Of each file that it writes.").optional(),
  core: size("Of a core dump; 0 for none.").optional(),
}, {
  error: 'a table such as { files = 256, cpu = "10s", memory = "1GiB" }',
});

/** Those that are set, as numbers. */
export type Rlimits = Readonly<z.output<typeof rlimitsSchema>>;
export type RlimitName = keyof Rlimits;
