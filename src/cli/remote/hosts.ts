/** The file of aliases, `~/.config/tcpmux/config.toml`. */
import { join, resolve } from "node:path";
import * as v from "valibot";
import { TcpmuxError } from "../../errors.ts";
import { readTarget, SERVER_FORMS } from "../../parse_endpoint.ts";
import { readDocument } from "../../table/files/document.ts";
import {
  asObject,
  checked,
  onlyKeys,
  optional,
  required,
  table,
  validated,
} from "../../table/keys.ts";
import { formatProblem, TableError } from "../../table/problem.ts";
import {
  authorities,
  demandsIn,
  unpaired,
  upstreamTlsKeys,
} from "../../table/steps/upstream_tls.ts";
import { flag } from "../../table/values.ts";
import type { TlsDemands } from "../../transport/net/tls/demands.ts";

/** The keys that say nothing without TLS. */
const OF_TLS = ["ca", "cert", "key", "pin", "server_name"] as const;

/** The keys of `[hosts.NAME]`. */
export const hostSchema = v.pipe(
  table({
    address: required(
      v.pipe(
        v.string(SERVER_FORMS),
        v.check(
          (text) => typeof readTarget(text) !== "string",
          ({ input }) => `${SERVER_FORMS} (${readTarget(input) as string})`,
        ),
        v.metadata({ value: "address, or URL" }),
      ),
      "The server that the name stands for.",
    ),
    tls: optional(
      flag(),
      "`true` for `tcpmuxs://`, or if another key of TLS is there",
      "Whether it is connected to by TLS.",
    ),
    ...upstreamTlsKeys,
    ca: authorities(
      "A path begins where `config.toml` is, or with `~/` in the home directory.",
    ),
  }),
  checked(unpaired),
  checked((host) => {
    if (host.tls !== false) return;
    const beside = OF_TLS.find((key) => host[key] !== undefined);
    const why = beside !== undefined
      ? `${beside} beside it is of TLS`
      : /^tcpmuxs:/i.test(host.address)
      ? "the address is one of TLS"
      : undefined;
    if (why === undefined) return;
    return { key: "tls", allowed: `true, as ${why}` };
  }),
);

/** A name for a server. */
export interface HostAlias {
  readonly address: string;
  readonly isTls: boolean;
  /** With whole paths of files. */
  readonly demands: TlsDemands;
}

/** Where the paths of the file begin. */
interface Places {
  readonly folder: string;
  /** Undefined where the environment names none. */
  readonly home: string | undefined;
}

const NAME = /^[\w.-]+$/;

/**
 * Reads the file.
 *
 * @param places where its paths begin, and those with `~/`
 * @throws {TcpmuxError} code `invalid_table`, with every problem and its line
 */
export function readHosts(
  text: string,
  file: string,
  places: Places,
): ReadonlyMap<string, HostAlias> {
  try {
    return hostsIn(text, file, places);
  } catch (error) {
    if (!(error instanceof TableError)) throw error;
    const lines = error.problems.map(formatProblem).join("\n");
    throw new TcpmuxError("invalid_table", lines, { cause: error });
  }
}

function hostsIn(text: string, file: string, { folder, home }: Places) {
  const { value, problems } = readDocument(text, file);
  onlyKeys(value, ["hosts"], problems);
  const hosts = new Map<string, HostAlias>();
  const entries = asObject(value["hosts"] ?? {}, ["hosts"], problems);
  for (const [name, entry] of Object.entries(entries)) {
    const at = ["hosts", name];
    if (!NAME.test(name)) {
      problems.add(at, "cannot be a name; allowed: letters, digits, . _ and -");
    }
    const object = asObject(entry, at, problems);
    const valid = validated(hostSchema, object, at, problems);
    if (valid === undefined) continue;
    const { address, tls, verify, ...others } = valid;
    const demands = demandsIn({ ...others, verify });
    const path = (key: "ca" | "cert" | "key") => {
      const name = others[key];
      if (!name?.startsWith("~/")) return name && resolve(folder, name);
      if (home) return join(home, name.slice(2));
      problems.add([...at, key], "begins with ~/, but HOME is not set");
    };
    hosts.set(name, {
      address,
      isTls: tls ?? (!verify || Object.values(others).some(Boolean)),
      demands: {
        ...demands,
        ca: path("ca"),
        cert: path("cert"),
        key: path("key"),
      },
    });
  }
  problems.throwIfAny();
  return hosts;
}
