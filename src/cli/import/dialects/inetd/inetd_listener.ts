/** The entry `tcpmux` of an inetd.conf: where clients came in, and who. */
import { TCPMUX_PORT } from "../../../../endpoint.ts";
import type { ServerInput } from "../../../../table/input.ts";
import { ADMIT_ALL, both, listsOf } from "../../access.ts";
import {
  type Context,
  IPV6_ALONE,
  listenText,
  NOWHERE,
} from "../../dialect.ts";
import type { ServerDraft } from "../../draft.ts";
import type { Report } from "../../report.ts";
import type { InetdEntry, InetdFlavour } from "./inetd_entry.ts";

/** Whether an entry `tcpmux` let clients in; the report says it of others. */
export function isOpenListener(entry: InetdEntry, report: Report): boolean {
  const { place, socket, protocol, waits, server, faults, isOn, hosts } = entry;
  const why = [
    ...faults,
    ...isOn ? [] : ["it is off"],
    ...socket === "stream" &&
        /^tcp(4|6|46)?(\/(ttcp|faith))?$/.test(protocol) && !waits
      ? []
      : ["it is not stream tcp nowait"],
    ...server === "internal" ? [] : [
      `${server} is a server of TCPMUX of its own: import its table`,
    ],
    ...hosts.filter((host) => listenText(host, TCPMUX_PORT) === undefined)
      .map((host) => `${host} is no address`),
  ];
  for (const text of why) {
    report.add("changed", place, `tcpmux: closed: ${text}`);
  }
  if (why.length > 0) return false;
  report.add("kept", place, "tcpmux: the address to listen on");
  return true;
}

export function inetdServer(
  listeners: readonly InetdEntry[],
  isImplied: boolean,
  flavour: InetdFlavour,
  { hosts, report }: Context,
): ServerDraft {
  if (listeners.length === 0 && !isImplied) {
    return {
      comments: ["inetd had no entry tcpmux that was open."],
      keys: { listen: NOWHERE },
    };
  }
  const families = listeners.map(({ protocol }) =>
    protocol.replace(/\/.*/, "")
  );
  const listen = listeners.flatMap((entry, index) => {
    const any = families[index] === "tcp6" || families[index] === "tcp46"
      ? "::"
      : "0.0.0.0";
    return (entry.hosts.length === 0 ? [any] : entry.hosts)
      .map((host) => listenText(host, TCPMUX_PORT)!);
  });
  // GNU's takes IPv4 as well where it says tcp6; the others do not.
  const isIPv6Alone = flavour !== "gnu" && listeners.length > 0 &&
    families.every((family) => family === "tcp6");
  const wrapped = flavour === "gnu" ? undefined : hosts.of("tcpmux");
  const isUnclear = (wrapped?.unclear.length ?? 0) > 0;
  const rules = both(
    wrapped?.rules ?? ADMIT_ALL,
    isIPv6Alone ? IPV6_ALONE : ADMIT_ALL,
  );
  const lists = isUnclear ? undefined : listsOf(rules);
  for (const at of wrapped?.unclear ?? []) {
    const [place] = listeners.map(({ place }) => place);
    report.add(
      "changed",
      place!,
      `tcpmux: closed: ${at} keeps out more than addresses can tell`,
    );
  }
  return {
    comments: [],
    keys: {
      listen: listen.length === 0
        ? [`[::]:${TCPMUX_PORT}`]
        : [...new Set(listen)],
      ...lists ?? { deny: ["any"] },
      ...serverLimits(listeners),
    },
  };
}

/** Those of the first: all connections to services come from it. */
function serverLimits([entry]: readonly InetdEntry[]): ServerInput {
  const { connections, perSource, perSourceAndMinute } = entry?.limits ?? {};
  return {
    ...connections ? { max_connections: connections } : {},
    ...perSource ? { max_connections_per_source: perSource } : {},
    ...perSourceAndMinute ? { rate_per_source: `${perSourceAndMinute}/m` } : {},
  };
}
