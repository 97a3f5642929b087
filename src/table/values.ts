/** What values in a file may be; the `error` of each says what is allowed. */
import * as z from "zod";
import { DURATION, DURATION_FORM, readDuration } from "../units.ts";
import { type Endpoint, ENDPOINT_FORMS, readEndpoint } from "../endpoint.ts";

export function duration(purpose: string) {
  const error = DURATION_FORM;
  return z.union([z.literal(0), z.string().regex(DURATION, { error })], {
    error,
  }).transform((value) => readDuration(String(value))!).describe(purpose);
}

export function text(purpose: string) {
  return z.string({ error: "text in quotes" })
    .refine((value) => !value.includes("\0"), {
      error: "text without NUL bytes",
    })
    .describe(purpose);
}

/** Text that must say something. */
export function name(purpose: string, what: string) {
  const error = `${what} in quotes; leave the key out for none`;
  return z.string({ error }).refine(
    (value) => value !== "" && !value.includes("\0"),
    { error },
  ).describe(purpose);
}

export function flag(purpose: string) {
  return z.boolean({ error: "true or false" }).describe(purpose);
}

/** A whole number from 1. */
export function count(most: number) {
  const error = `a whole number from 1 to ${most}`;
  return z.int({ error, abort: true }).min(1, { error }).max(most, { error });
}

/** The same, and 0 for no limit. */
export function most(purpose: string) {
  const error = "a whole number from 1 to 1000000, or 0 for no limit";
  return z.int({ error, abort: true }).min(0, { error })
    .max(1_000_000, { error }).describe(purpose);
}

/** Of a process: from 19, which gives way to all others, to -20. */
export const niceness = z.int({ error: "a whole number from -20 to 19" })
  .min(-20, { error: "a whole number from -20 to 19" })
  .max(19, { error: "a whole number from -20 to 19" })
  .describe("How far it gives way to others. Default: the server's.");

/** Rights of files in octal digits, as a number. */
export function mode(purpose: string) {
  const error = 'three octal digits in quotes, such as "027"';
  return z.string({ error }).regex(/^0?[0-7]{3}$/, { error })
    .transform((digits) => parseInt(digits, 8)).describe(purpose);
}

export function choice<const T extends readonly string[]>(
  of: T,
  purpose: string,
) {
  const words = of.map((word) => JSON.stringify(word)).join(", ");
  return z.enum(of, { error: `one of ${words}` }).describe(purpose);
}

export function list<T extends z.ZodType>(item: T, purpose: string) {
  return z.array(item, { error: "a list in brackets" }).describe(purpose);
}

/** Text that `read` makes a value of, or says in a string why it cannot. */
export function transformed<T extends object>(
  read: (text: string) => T | string,
  form: string,
  purpose: string,
) {
  return z.string({ error: form }).transform((value, context) => {
    const result = read(value);
    if (typeof result !== "string") return result;
    context.issues.push({
      code: "custom",
      message: `${form} (${result})`,
      input: value,
    });
    return z.NEVER;
  }).describe(purpose);
}

/** An address to connect to: port 0 is none. */
export const destination = (purpose: string) =>
  transformed((value) => readDestination(value), ENDPOINT_FORMS, purpose);

export function readDestination(value: string): Endpoint | string {
  const endpoint = readEndpoint(value);
  return typeof endpoint !== "string" && endpoint.transport === "tcp" &&
      endpoint.port === 0
    ? "a port from 1 to 65535 must follow the host"
    : endpoint;
}

export const endpoint = (purpose: string) =>
  transformed((value) => readEndpoint(value), ENDPOINT_FORMS, purpose);
