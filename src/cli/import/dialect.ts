/** What a reader of one dialect gets besides its files. */
import { isIP } from "node:net";
import { readEndpoint } from "../../parse_endpoint.ts";
import { type AddressRules, networksOf } from "./access.ts";
import type { Imported } from "./draft.ts";
import type { HostsAccess } from "./hosts_access.ts";
import type { Report } from "./report.ts";
import type { Files, Source } from "./sources.ts";

export interface Context {
  readonly files: Files;
  readonly report: Report;
  /** hosts.allow and hosts.deny. */
  readonly hosts: HostsAccess;
  /** Whom programs run as where their file does not say it; empty for nobody. */
  readonly user: string;
}

/** Reads the files of one dialect, in their order. */
export type ReadDialect = (
  sources: readonly Source[],
  context: Context,
) => Imported;

/** An address to listen on; undefined where it is none. */
export function listenText(host: string, port: number): string | undefined {
  const text = isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
  return typeof readEndpoint(text) === "string" ? undefined : text;
}

/** `[::]` takes IPv4 as well, which what listened on IPv6 alone did not. */
export const IPV6_ALONE: AddressRules = {
  rules: networksOf("0.0.0.0/0").map((network) => ({ network, admits: false })),
  otherwise: true,
};

/** Where a table listens of whose services nobody could reach one. */
export const NOWHERE = "127.0.0.1:1";

/** A whole number that the table takes. */
export function countOf(word = ""): number | undefined {
  const count = /^\d{1,7}$/.test(word) ? Number(word) : Infinity;
  return count <= 1_000_000 ? count : undefined;
}
