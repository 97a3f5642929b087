import type { Endpoint } from "../endpoint.ts";
import type { Service } from "../table/service.ts";

/** What of a service says who may use it. */
export type Guarded = Pick<Service, "name" | "enabled" | "access" | "hours">;

/**
 * Why a client may not use a service at any hour, for the log. On a Unix
 * socket it is the file's permissions that say who may.
 */
export function keptOutOf(
  { name, enabled, access }: Guarded,
  remote: Endpoint,
): string | undefined {
  if (remote.transport === "tcp") {
    const { host } = remote;
    const list = access.keepsOut(host);
    if (list !== undefined) return `${host} is kept out by ${list} of ${name}`;
  }
  return enabled ? undefined : `the service ${name} is not enabled`;
}
