/** One entry of an inetd.conf, whatever its dialect. */
import type { Place } from "../../report.ts";

export type InetdFlavour = "freebsd" | "netbsd" | "gnu";

export interface InetdEntry {
  readonly place: Place;
  /** Without addresses: `tcpmux`, `tcpmux/+NAME`, `ftp`. */
  readonly service: string;
  /** The addresses that it listens on; none for all. */
  readonly hosts: readonly string[];
  readonly socket: string;
  /** Such as `tcp6` or `tcp/ttcp`. */
  readonly protocol: string;
  readonly isOn: boolean;
  readonly waits: boolean;
  readonly limits: InetdLimits;
  readonly user: string;
  readonly group: string | undefined;
  readonly loginClass: string | undefined;
  /** Absolute, or `internal`. */
  readonly server: string;
  /** The name that the program is called by. */
  readonly name: string;
  readonly args: readonly string[];
  /** What inetd does not take. */
  readonly faults: readonly string[];
}

/** Undefined, as 0, is no limit. */
export interface InetdLimits {
  readonly connections?: number | undefined;
  readonly perMinute?: number | undefined;
  readonly perSource?: number | undefined;
  readonly perSourceAndMinute?: number | undefined;
}
