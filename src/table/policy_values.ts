/** What values about access and limits may be in a file. */
import * as z from "zod";
import { PREFIX_FORM, readPrefixes } from "../policy/access.ts";
import { MAX_STARTUPS_FORM, readMaxStartups } from "../policy/max_startups.ts";
import { HOURS_FORM, isTimeZone, readHours } from "../policy/hours.ts";
import { RATE_FORM, readRate } from "../policy/rate.ts";
import { list, transformed } from "./values.ts";

export const addresses = (purpose: string) =>
  list(transformed(readPrefixes, PREFIX_FORM, "An address or prefix."), purpose)
    .transform((prefixes) => prefixes.flat());

export const hours = (purpose: string) =>
  list(transformed(readHours, HOURS_FORM, "A range of hours."), purpose)
    .min(1, { error: "at least one range; leave the key out for always" });

export const timeZone = (purpose: string) => {
  const error = 'a time zone such as "Europe/Berlin" or "UTC"';
  return z.string({ error }).refine(isTimeZone, { error }).describe(purpose);
};

export const rate = (purpose: string) =>
  made(z.string({ error: RATE_FORM }), readRate, RATE_FORM, purpose);

/** A number stands for itself, as text does. */
export const maxStartups = (purpose: string) => {
  const error = MAX_STARTUPS_FORM;
  const schema = z.union([z.int(), z.string()], { error });
  const read = (value: string | number) => readMaxStartups(String(value));
  return made(schema, read, error, purpose);
};

/** A value of which `read` makes another, or nothing where it is wrong. */
function made<S extends z.ZodType, T>(
  schema: S,
  read: (value: z.output<S>) => T | undefined,
  error: string,
  purpose: string,
) {
  return schema.transform((value, context) => {
    const result = read(value);
    if (result !== undefined) return result;
    context.issues.push({ code: "custom", message: error, input: value });
    return z.NEVER;
  }).describe(purpose);
}
