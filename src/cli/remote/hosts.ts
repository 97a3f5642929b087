/** The file of aliases, `~/.config/tcpmux/config.toml`. */
import { resolve } from "node:path";
import * as z from "zod";
import { TcpmuxError } from "../../errors.ts";
import { readTarget, SERVER_FORMS } from "../../parse_endpoint.ts";
import {
  asObject,
  onlyKeys,
  readDocument,
  validated,
} from "../../table/document.ts";
import { formatProblem, TableError } from "../../table/problem.ts";
import {
  checkPair,
  demandsIn,
  upstreamTlsKeys,
} from "../../table/steps/upstream_tls.ts";
import { flag, optional, required } from "../../table/values.ts";
import type { TlsDemands } from "../../transport/net/tls/demands.ts";

/** The keys of `[hosts.NAME]`. */
export const hostSchema = z.strictObject({
  address: required(
    z.string({ error: SERVER_FORMS }).superRefine((text, context) => {
      const target = readTarget(text);
      if (typeof target !== "string") return;
      context.addIssue(`${SERVER_FORMS} (${target})`);
    }).meta({ value: "address, or URL" }),
    "The server that the name stands for.",
  ),
  tls: optional(
    flag(),
    "`true` for `tcpmuxs://`, or if another key of TLS is there",
    "Whether it is connected to by TLS.",
  ),
  ...upstreamTlsKeys,
}).superRefine(checkPair);

/** A name for a server. */
export interface HostAlias {
  readonly address: string;
  readonly isTls: boolean;
  /** With whole paths of files. */
  readonly demands: TlsDemands;
}

const NAME = /^[\w.-]+$/;

/**
 * Reads the file.
 *
 * @param folder where its paths begin
 * @throws {TcpmuxError} code `invalid_table`, with every problem and its line
 */
export function readHosts(
  text: string,
  file: string,
  folder: string,
): ReadonlyMap<string, HostAlias> {
  try {
    return hostsIn(text, file, folder);
  } catch (error) {
    if (!(error instanceof TableError)) throw error;
    const lines = error.problems.map(formatProblem).join("\n");
    throw new TcpmuxError("invalid_table", lines, { cause: error });
  }
}

function hostsIn(text: string, file: string, folder: string) {
  const { value, problems } = readDocument(text, file);
  onlyKeys(value, ["hosts"], problems);
  const hosts = new Map<string, HostAlias>();
  const entries = asObject(value["hosts"] ?? {}, ["hosts"], problems);
  const path = (name: string | undefined) => name && resolve(folder, name);
  for (const [name, entry] of Object.entries(entries)) {
    const at = ["hosts", name];
    if (!NAME.test(name)) {
      problems.add(at, "cannot be a name; allowed: letters, digits, . _ and -");
    }
    const object = asObject(entry, at, problems);
    const valid = validated(hostSchema, object, at, problems);
    if (valid === undefined) continue;
    const { address, tls, verify, ...others } = valid;
    const { ca, cert, key } = others;
    const demands = demandsIn({ ...others, verify });
    hosts.set(name, {
      address,
      isTls: tls ?? (!verify || Object.values(others).some(Boolean)),
      demands: { ...demands, ca: path(ca), cert: path(cert), key: path(key) },
    });
  }
  problems.throwIfAny();
  return hosts;
}
