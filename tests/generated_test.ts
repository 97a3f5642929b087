/** What is generated is what the definitions give: npm run generate. */
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { assert, assertEquals, assertThrows } from "@std/assert";
import type * as v from "valibot";
import { GENERATORS } from "../scripts/generate.ts";
import {
  fileUrl,
  MARKDOWN_MARKERS,
  withParts,
} from "../scripts/generate/files.ts";
import { needs } from "./support/needs.ts";
import type * as input from "../src/table/input.ts";
import type {
  fileSchema,
  handlerSchema,
  kindSchemas,
} from "../src/table/schema.ts";
import type { RemoteService } from "../src/table/written.ts";
import type { Endpoint } from "../src/endpoint.ts";
import type { serverSchema } from "../src/table/server_schema.ts";

/** One of them reads what npm has installed. */
const installed = needs(fileURLToPath(fileUrl("node_modules")));

describe("a generated file is fresh:", installed, () => {
  for (const generate of installed.skip === undefined ? GENERATORS : []) {
    for (const [file, text] of generate()) {
      test(file, () => {
        assert(
          readFileSync(fileUrl(file), "utf8") === text,
          `${file} is stale: npm run generate writes it anew`,
        );
      });
    }
  }
});

test("a part that a file does not have is an error", () => {
  assertThrows(
    () => withParts("docs/table.md", MARKDOWN_MARKERS, { nothing: "" }),
    Error,
    'docs/table.md has no part "nothing"',
  );
});

describe("services.schema.json", () => {
  interface Schema {
    description?: string;
    default?: unknown;
    properties?: Record<string, Schema>;
  }
  const { server } = (JSON.parse(
    readFileSync(fileUrl("services.schema.json"), "utf8"),
  ) as Schema).properties!;

  test("has descriptions and defaults", () => {
    const { half_closed_timeout, penalties } = server!.properties!;
    assertEquals(half_closed_timeout!.default, "1h");
    assertEquals(penalties!.properties!["max"]!.default, "10m");
    for (const [key, { description }] of Object.entries(server!.properties!)) {
      assert(/^[A-Z].*\.$/.test(description ?? ""), key);
    }
  });
});

/** Whether two types have the same keys, of the same types, as (not) optional. */
type Same<A, B> = (<T>() => T extends Flat<A> ? 1 : 2) extends
  (<T>() => T extends Flat<B> ? 1 : 2) ? true : false;
type Flat<T> = T extends (...args: never[]) => unknown ? T
  : T extends object ? { [K in keyof T]: Flat<T[K]> }
  : T;

/** What a file may hold of what a program may write: src/table/written.ts. */
type Written<T> = T extends (...args: never[]) => unknown ? T
  : T extends object ? { [K in keyof T]: Value<T[K]> }
  : T;
/** Milliseconds and objects for addresses are a program's alone. */
type Value<T> = [Extract<T, `${number}ms`>] extends [never]
  ? T extends Endpoint | RemoteService ? never
  : T extends (string | Endpoint)[] ? (string)[]
  : Written<T>
  : 0 | string | Extract<T, undefined>;

/** The types of the library's input are those of the schemas, both ways. */
type Kind<K extends keyof typeof kindSchemas> = v.InferInput<
  typeof kindSchemas[K]
>;
type File = v.InferInput<typeof fileSchema>;
const same: [
  Same<Written<input.ServerInput>, v.InferInput<typeof serverSchema>>,
  Same<Written<input.ServerInput>, NonNullable<File["server"]>>,
  Same<Written<input.BuiltinInput>, Kind<"builtin">>,
  Same<Written<input.ExecInput>, Kind<"exec">>,
  Same<Written<input.ConnectInput>, Kind<"connect">>,
  Same<Written<input.TcpmuxInput>, Kind<"tcpmux">>,
  Same<Written<input.TextInput>, Kind<"text">>,
  Same<Written<input.ServiceInput>, Kind<keyof typeof kindSchemas>>,
  Same<Written<input.HandlerInput>, v.InferInput<typeof handlerSchema>>,
] = [true, true, true, true, true, true, true, true, true];

/** The comparison itself: it sees a key too few, and another type. */
const different: [
  Same<{ a?: string; b?: string }, { a?: string }>,
  Same<{ a?: string }, { a: string }>,
  Same<{ a: { b?: 0 | string } }, { a: { b?: string } }>,
] = [false, false, false];

test("the types of the library's input are those of the schemas", () => {
  assertEquals(new Set(same), new Set([true]));
  assertEquals(new Set(different), new Set([false]));
});
