import { isIP } from "node:net";
import { isName, NAME_RULE } from "../table/schema.ts";

const BY_NAME = "only services are reached, by name";

/**
 * The name of the service that a host stands for, or why it stands for none.
 *
 * @param suffix is taken off the host where it is there, such as `.mux`; empty
 * for none
 */
export function serviceNameOf(
  host: string,
  suffix: string,
): { readonly name: string } | { readonly why: string } {
  if (isIP(host.replace(/^\[|\]$/g, "")) !== 0 || host.startsWith("[")) {
    return { why: `${JSON.stringify(host)} is an address: ${BY_NAME}` };
  }
  const suffixed = suffix !== "" &&
    host.toLowerCase().endsWith(suffix.toLowerCase());
  const name = suffixed ? host.slice(0, -suffix.length) : host;
  return isName(name)
    ? { name }
    : { why: `${JSON.stringify(name)} is no name for a service: ${NAME_RULE}` };
}
