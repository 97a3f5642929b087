/**
 * The kinds of values in a table. The message of each says what is allowed;
 * its metadata is for documentation: `value` names the kind in a few words,
 * `form` describes it where that is not enough.
 */
import * as v from "valibot";
import { LOG_TO_FORMS, readLogTo } from "../log.ts";
import {
  ENDPOINT_FORMS,
  isHostName,
  LISTEN_FORMS,
  readDestination,
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

export function flag() {
  return v.pipe(
    v.boolean("true or false"),
    v.metadata({ value: "`true` or `false`" }),
  );
}

export function text() {
  return v.pipe(
    v.string("text in quotes"),
    v.check((value) => !value.includes("\0"), "text without NUL bytes"),
    v.metadata({ value: "text" }),
  );
}

/** Text that is not empty. */
export function name(what: string, cure = " (for none, remove the key)") {
  const error = `${what} in quotes${cure}`;
  const isSound = (value: string) => value !== "" && !value.includes("\0");
  return textThat(isSound, error, { value: what });
}

/** Text that passes a test; `error` says what is allowed. */
export function textThat(
  test: RegExp | ((text: string) => boolean),
  error: string,
  metadata: { readonly value?: string; readonly form?: string } = {},
) {
  return v.pipe(
    v.string(error),
    test instanceof RegExp ? v.regex(test, error) : v.check(test, error),
    v.metadata(metadata),
  );
}

export function choice<const T extends readonly string[]>(of: T) {
  const words = of.map((word) => JSON.stringify(word));
  const code = words.map((word) => `\`${word}\``);
  return v.pipe(
    v.picklist(of, `one of ${words.join(", ")}`),
    v.metadata({ value: `${code.slice(0, -1).join(", ")} or ${code.at(-1)}` }),
  );
}

export function listOf<S extends v.GenericSchema>(item: S, value: string) {
  return v.pipe(v.array(item, "a list in brackets"), v.metadata({ value }));
}

/** A list that is not empty; `error` says so. */
export function someOf<S extends v.GenericSchema>(
  item: S,
  value: string,
  error: string,
) {
  return v.pipe(listOf(item, value), v.minLength(1, error));
}

/** One address, or a list of at least one. */
export function oneOrMore<S extends v.GenericSchema>(address: S) {
  return v.pipe(
    v.union(
      [address, someOf(address, "", "at least one address")],
      ({ issues = [] }) => issues.map(({ message }) => message).join(", or "),
    ),
    v.metadata({ value: "address, or list of addresses" }),
  );
}

/** A whole number of something, within these bounds. */
export function wholeNumber(least: number, most: number, unit?: string) {
  const range = `from ${least} to ${most}`;
  const value = `number ${unit === undefined ? range : `of ${unit}`}`;
  return numberWithin(least, most, value, `a whole number ${range}`);
}

/** A whole number of something, or 0 for no limit. */
export function limit(unit: string) {
  const form = "a whole number from 1 to 1000000, or 0 for no limit";
  return numberWithin(0, 1_000_000, `number of ${unit}`, form);
}

function numberWithin(
  least: number,
  most: number,
  value: string,
  form: string,
) {
  const schema = v.pipe(
    v.number(form),
    v.safeInteger(form),
    v.minValue(least, form),
    v.maxValue(most, form),
    v.metadata({ value, form }),
  );
  return v.config(schema, { abortPipeEarly: true });
}

/** Milliseconds. */
export function duration() {
  return v.pipe(
    v.union([v.literal(0), textThat(DURATION, DURATION_FORM)], DURATION_FORM),
    v.transform((value) => readDuration(String(value))!),
    v.metadata({ value: "duration", form: DURATION_FORM }),
  );
}

/** Permission bits in octal digits, as a number. */
export function mode() {
  const form = 'three octal digits in quotes, such as "027"';
  return v.pipe(
    textThat(/^0?[0-7]{3}$/, form, { value: "octal digits", form }),
    v.transform((digits) => parseInt(digits, 8)),
  );
}

export function timeZone() {
  const form = 'a time zone such as "Europe/Berlin" or "UTC"';
  return textThat(isTimeZone, form, { value: "time zone", form });
}

/** Text that `read` turns into a value, or into what is wrong with it. */
export function transformed<T extends object>(
  read: (text: string) => T | string | undefined,
  form: string,
  value: string,
) {
  return made(v.string(form), read, form, value);
}

/** A value of which `read` makes another one, or says what is wrong with it. */
function made<S extends v.GenericSchema, T extends object>(
  schema: S,
  read: (value: v.InferOutput<S>) => T | string | undefined,
  form: string,
  value: string,
) {
  return v.pipe(
    schema,
    v.rawTransform<v.InferOutput<S>, T>(({ dataset, addIssue, NEVER }) => {
      const result = read(dataset.value);
      if (typeof result === "object") return result;
      addIssue({
        message: result === undefined ? form : `${form} (${result})`,
      });
      return NEVER;
    }),
    v.metadata({ value, form }),
  );
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
  const form = 'a host name without a port, such as "mux.example.org"';
  return textThat(isHostName, form, { value: "host name" });
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
  return v.pipe(
    v.union([v.literal(false), transformed(read, form, "")], form),
    v.metadata({ value: "`unix:/path`, or `false`", form }),
  );
}

/** An address to connect to. */
export function destination() {
  return transformed(readDestination, ENDPOINT_FORMS, "address");
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
  return v.pipe(
    listOf(transformed(readPrefixes, PREFIX_FORM, "prefix"), ""),
    v.transform((prefixes) => prefixes.flat()),
    v.metadata({ value: "list of addresses and prefixes" }),
  );
}

export function hours() {
  return someOf(
    transformed(readHours, HOURS_FORM, "hours"),
    "list of hours",
    "at least one range (for always, remove the key)",
  );
}

/** A version of the PROXY protocol. */
export function proxyVersion() {
  const form = "1 or 2";
  return v.pipe(
    v.union([v.literal(1), v.literal(2)], form),
    v.metadata({ value: "`1` or `2`", form }),
  );
}

export function rate() {
  return transformed(readRate, RATE_FORM, "rate");
}

export function maxStartups() {
  const form = MAX_STARTUPS_FORM;
  return made(
    v.union([v.pipe(v.number(), v.safeInteger(form)), v.string()], form),
    (value) => readMaxStartups(String(value)),
    form,
    'number, or `"START:PERCENT:FULL"`',
  );
}

const UNLIMITED = v.literal("unlimited");

/** A number of processes; Infinity for no limit. */
export function processes() {
  const most = 4_194_304; // on Linux
  const form = `a whole number from 1 to ${most}, or "unlimited"`;
  return v.pipe(
    v.union([numberWithin(1, most, "", form), UNLIMITED], form),
    v.transform((value) => value === "unlimited" ? Infinity : value),
    v.metadata({ value: 'number of processes, or `"unlimited"`', form }),
  );
}

/** Bytes; Infinity for no limit. */
export function size() {
  const form = `${SIZE_FORM}, 0, or "unlimited"`;
  return v.pipe(
    v.union([v.literal(0), UNLIMITED, textThat(SIZE, form)], form),
    v.transform((value) =>
      value === "unlimited" ? Infinity : value === 0 ? 0 : readSize(value)!
    ),
    v.metadata({ value: 'size, or `"unlimited"`', form }),
  );
}

/** Whole seconds, as the system counts them; Infinity for no limit. */
export function seconds() {
  const form = 'a time of whole seconds such as "10s", "5m" or "1h", ' +
    'or "unlimited"';
  return v.pipe(
    v.union([UNLIMITED, textThat(/^[1-9]\d{0,8}(s|m|h)$/, form)], form),
    v.transform((value) =>
      value === "unlimited" ? Infinity : readDuration(value)! / 1000
    ),
    v.metadata({ value: 'duration in whole seconds, or `"unlimited"`', form }),
  );
}
