/** `[server.first_bytes]`: services that are named by what clients send first. */
import * as v from "valibot";
import { HELP } from "../../wire.ts";
import { record } from "../keys.ts";
import type { Problems } from "../problem.ts";
import type { Service } from "../service.ts";
import { name, textThat } from "../values.ts";

/** What clients of a protocol send first, and the service that they get. */
export interface FirstBytes {
  readonly bytes: Uint8Array;
  /** Its name or an alias. */
  readonly service: string;
}

/** Each character of a key stands for one byte: TOML can write them all. */
export const firstBytesSchema = v.pipe(
  record(
    textThat(
      /^[\0-\xff]{1,64}$/,
      "1 to 64 characters up to U+00FF, each for one byte",
    ),
    name("the name of a service"),
    "a table such as [server.first_bytes]",
  ),
  v.metadata({ value: "table" }),
);

/** @returns the longest first; undefined for none */
export function resolveFirstBytes(
  valid: v.InferOutput<typeof firstBytesSchema>,
): readonly FirstBytes[] | undefined {
  const all = Object.entries(valid).map(([prefix, service]): FirstBytes => ({
    bytes: Uint8Array.from(prefix, (char) => char.charCodeAt(0)),
    service,
  }));
  if (all.length === 0) return undefined;
  return all.toSorted((a, b) => b.bytes.length - a.bytes.length);
}

/** What is asked of a table. */
interface Named {
  readonly server: { readonly firstBytes: readonly FirstBytes[] | undefined };
  readonly services: readonly Pick<Service, "name" | "aliases">[];
  readonly byName: ReadonlyMap<string, unknown>;
  readonly listeners: readonly {
    readonly endpoint: { readonly tls?: true | "or-plain" } | undefined;
  }[];
}

/** The first byte of a client that begins TLS. */
const TLS = "\x16";

/** Adds problems for services that are missing, and for what is ambiguous. */
export function addFirstBytesProblems(table: Named, problems: Problems): void {
  const names = table.services.flatMap((
    { name, aliases },
  ) => [name, ...aliases]);
  const takesTls = table.listeners.some(({ endpoint }) => endpoint?.tls);
  for (const { bytes, service } of table.server.firstBytes ?? []) {
    const prefix = String.fromCharCode(...bytes);
    const add = (what: string) =>
      problems.add(["server", "first_bytes", prefix], what);
    if (!table.byName.has(service.toUpperCase())) {
      add(`no service is called ${JSON.stringify(service)}`);
    }
    if (/^[\x20-\x7e]+\r?\n/.test(prefix)) {
      add("holds a whole line, as clients of TCPMUX send it (end it sooner)");
      continue;
    }
    // Clients write names as they like, in upper case or lower.
    const line = [HELP, ...names].find((name) =>
      `${name}\r\n`.toUpperCase().startsWith(prefix.toUpperCase())
    );
    if (line !== undefined) {
      add(
        `the service line of ${line} begins so as well (make it longer, or ` +
          "give the service another name)",
      );
    }
    if (takesTls && prefix.startsWith(TLS)) {
      add(
        "TLS begins so, which an address of listen takes (remove one of both)",
      );
    }
  }
}
