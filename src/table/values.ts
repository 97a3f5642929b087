/**
 * The kinds of values in a table. The `error` of each says what is allowed;
 * its metadata is for documentation: `value` names the kind in a few words,
 * `form` describes it where that is not enough.
 */
import * as z from "zod";
import type { Endpoint } from "../endpoint.ts";
import { LOG_TO_FORMS, readLogTo } from "../log.ts";
import {
  ENDPOINT_FORMS,
  isHostName,
  LISTEN_FORMS,
  readEndpoint,
  readListen,
} from "../parse_endpoint.ts";
import { PREFIX_FORM, readPrefixes } from "../policy/access.ts";
import { HOURS_FORM, isTimeZone, readHours } from "../policy/hours.ts";
import { MAX_STARTUPS_FORM, readMaxStartups } from "../policy/penalties.ts";
import { RATE_FORM, readRate } from "../policy/rate.ts";
import {
  DURATION,
  DURATION_FORM,
  readDuration,
  readSize,
  SIZE,
  SIZE_FORM,
} from "../units.ts";

/** A key that must be there. */
export function required<T extends z.ZodType>(value: T, description: string) {
  return value.meta({ ...value.meta(), description });
}

/**
 * A key whose value is `preset`, as a table has it, where it is left out. That
 * is read once for all services, most of which leave most keys out.
 */
export function preset<T extends z.ZodType>(
  value: T,
  preset: z.util.NoUndefined<z.input<T>>,
  description: string,
) {
  let read: z.util.NoUndefined<z.output<T>> | undefined;
  return value.default(() =>
    read ??= Object.freeze(value.parse(preset)) as NonNullable<typeof read>
  ).meta({ description, preset });
}

/** A key that may be left out; `otherwise` says in words what holds then. */
export function optional<T extends z.ZodType>(
  value: T,
  otherwise: string,
  description: string,
) {
  return value.optional().meta({ description, otherwise });
}

export function flag() {
  return z.boolean({ error: "true or false" })
    .meta({ value: "`true` or `false`" });
}

export function text() {
  return z.string({ error: "text in quotes" })
    .refine((value) => !value.includes("\0"), {
      error: "text without NUL bytes",
    })
    .meta({ value: "text" });
}

/** Text that is not empty. */
export function name(what: string, cure = " (for none, remove the key)") {
  const error = `${what} in quotes${cure}`;
  return z.string({ error }).refine(
    (value) => value !== "" && !value.includes("\0"),
    { error },
  ).meta({ value: what });
}

export function choice<const T extends readonly string[]>(of: T) {
  const words = of.map((word) => JSON.stringify(word));
  const code = words.map((word) => `\`${word}\``);
  return z.enum(of, { error: `one of ${words.join(", ")}` })
    .meta({ value: `${code.slice(0, -1).join(", ")} or ${code.at(-1)}` });
}

export function listOf<T extends z.ZodType>(item: T, value: string) {
  return z.array(item, { error: "a list in brackets" }).meta({ value });
}

/** One address, or a list of at least one. */
export function oneOrMore<T extends z.ZodType>(address: T) {
  return z.union([
    address,
    listOf(address, "").min(1, { error: "at least one address" }),
  ]).meta({ value: "address, or list of addresses" });
}

/** A whole number of something, within these bounds. */
export function wholeNumber(
  least: number,
  most: number,
  unit?: string,
) {
  const error = `a whole number from ${least} to ${most}`;
  return z.int({ error, abort: true }).min(least, { error })
    .max(most, { error }).meta({
      value: unit === undefined
        ? `number from ${least} to ${most}`
        : `number of ${unit}`,
      form: error,
    });
}

/** A whole number of something, or 0 for no limit. */
export function limit(unit: string) {
  const error = "a whole number from 1 to 1000000, or 0 for no limit";
  return z.int({ error, abort: true }).min(0, { error })
    .max(1_000_000, { error })
    .meta({ value: `number of ${unit}`, form: error });
}

/** Milliseconds. */
export function duration() {
  const error = DURATION_FORM;
  return z.union([z.literal(0), z.string().regex(DURATION, { error })], {
    error,
  }).transform((value) => readDuration(String(value))!)
    .meta({ value: "duration", form: error });
}

/** Permission bits in octal digits, as a number. */
export function mode() {
  const error = 'three octal digits in quotes, such as "027"';
  return z.string({ error }).regex(/^0?[0-7]{3}$/, { error })
    .transform((digits) => parseInt(digits, 8))
    .meta({ value: "octal digits", form: error });
}

export function timeZone() {
  const error = 'a time zone such as "Europe/Berlin" or "UTC"';
  return z.string({ error }).refine(isTimeZone, { error })
    .meta({ value: "time zone", form: error });
}

/** Text that `read` turns into a value, or into what is wrong with it. */
export function transformed<T extends object>(
  read: (text: string) => T | string,
  form: string,
  value: string,
) {
  return z.string({ error: form }).transform((text, context) => {
    const result = read(text);
    if (typeof result !== "string") return result;
    context.issues.push({
      code: "custom",
      message: `${form} (${result})`,
      input: text,
    });
    return z.NEVER;
  }).meta({ value, form });
}

/** An address of this machine or of another one. */
export function endpoint() {
  return transformed((text) => readEndpoint(text), ENDPOINT_FORMS, "address");
}

/** An address to listen on. */
export function listenAddress() {
  return transformed(readListen, LISTEN_FORMS, "address");
}

/** The name of a host, without a port. */
export function hostName() {
  const error = 'a host name without a port, such as "mux.example.org"';
  return z.string({ error }).refine(isHostName, { error, abort: true })
    .meta({ value: "host name" });
}

/** The path of a Unix socket that has a file, or `false` for none. */
export function controlSocket() {
  const form = "unix:/path, or false for none";
  const read = (text: string) => {
    const endpoint = readEndpoint(text);
    if (typeof endpoint === "string") return endpoint;
    return endpoint.transport === "unix" && !endpoint.path.startsWith("\0")
      ? endpoint
      : "it must be a file, whose mode keeps others away";
  };
  return z.union([z.literal(false), transformed(read, form, "")], {
    error: form,
  }).meta({ value: "`unix:/path`, or `false`", form });
}

/** An address to connect to. */
export function destination() {
  return transformed(readDestination, ENDPOINT_FORMS, "address");
}

export function readDestination(text: string): Endpoint | string {
  const endpoint = readEndpoint(text);
  return typeof endpoint !== "string" && endpoint.transport === "tcp" &&
      endpoint.port === 0
    ? "a port from 1 to 65535 must follow the host"
    : endpoint;
}

/** Where the log goes. */
export function logTo() {
  return transformed(
    readLogTo,
    LOG_TO_FORMS,
    "`stderr`, path, or address of a syslog",
  );
}

export function addresses() {
  return listOf(transformed(readPrefixes, PREFIX_FORM, "prefix"), "")
    .transform((prefixes) => prefixes.flat())
    .meta({ value: "list of addresses and prefixes" });
}

export function hours() {
  return listOf(transformed(readHours, HOURS_FORM, "hours"), "")
    .min(1, { error: "at least one range (for always, remove the key)" })
    .meta({ value: "list of hours" });
}

/** A version of the PROXY protocol. */
export function proxyVersion() {
  const error = "1 or 2";
  return z.union([z.literal(1), z.literal(2)], { error })
    .meta({ value: "`1` or `2`", form: error });
}

export function rate() {
  return made(z.string({ error: RATE_FORM }), readRate, RATE_FORM)
    .meta({ value: "rate", form: RATE_FORM });
}

export function maxStartups() {
  const error = MAX_STARTUPS_FORM;
  const schema = z.union([z.int(), z.string()], { error });
  const read = (value: string | number) => readMaxStartups(String(value));
  return made(schema, read, error)
    .meta({ value: 'number, or `"START:PERCENT:FULL"`', form: error });
}

/** A value of which `read` makes another one, or undefined if it is wrong. */
function made<S extends z.ZodType, T>(
  schema: S,
  read: (value: z.output<S>) => T | undefined,
  error: string,
) {
  return schema.transform((value, context) => {
    const result = read(value);
    if (result !== undefined) return result;
    context.issues.push({ code: "custom", message: error, input: value });
    return z.NEVER;
  });
}

const UNLIMITED = z.literal("unlimited");

/** As many as there can be on Linux. */
const MOST_PROCESSES = 4_194_304;

/** A number of processes; Infinity for no limit. */
export function processes() {
  const error = `a whole number from 1 to ${MOST_PROCESSES}, or "unlimited"`;
  return z.union([
    z.int({ error }).min(1, { error }).max(MOST_PROCESSES, { error }),
    UNLIMITED,
  ], { error }).transform((value) => value === "unlimited" ? Infinity : value)
    .meta({ value: 'number of processes, or `"unlimited"`', form: error });
}

/** Bytes; Infinity for no limit. */
export function size() {
  const error = `${SIZE_FORM}, 0, or "unlimited"`;
  return z.union(
    [z.literal(0), UNLIMITED, z.string().regex(SIZE, { error })],
    { error },
  ).transform((value) =>
    value === "unlimited" ? Infinity : value === 0 ? 0 : readSize(value)!
  ).meta({ value: 'size, or `"unlimited"`', form: error });
}

/** Whole seconds, as the system counts them; Infinity for no limit. */
export function seconds() {
  const error = 'a time of whole seconds such as "10s", "5m" or "1h", ' +
    'or "unlimited"';
  return z.union(
    [UNLIMITED, z.string().regex(/^[1-9]\d{0,8}(s|m|h)$/, { error })],
    { error },
  ).transform((value) =>
    value === "unlimited" ? Infinity : readDuration(value)! / 1000
  ).meta({ value: 'duration in whole seconds, or `"unlimited"`', form: error });
}
