/** A rule set that lets in who may use a service (nft(8)). */
import { isIP } from "node:net";
import { TCPMUX_PORT } from "../../endpoint.ts";
import type { ListenAddress } from "../../parse_endpoint.ts";
import type { Access } from "../../policy/access.ts";
import type { Table } from "../../table/table.ts";
import {
  type AddressRule,
  type AddressRules,
  both,
  either,
  Network,
  shortened,
} from "../import/access.ts";

/** A table that does not say it listens on the port of TCPMUX too. */
const SYSTEMD = { transport: "systemd", name: undefined } as const;

export function nftablesRules(
  table: Table,
  { about }: { readonly about: string },
): { readonly "tcpmux.nft": string } {
  const services = table.services.filter(({ enabled }) => enabled);
  const nobody: AddressRules = { rules: [], otherwise: false };
  const any = services.map(({ access }) => rulesOf(access))
    .reduce(either, nobody);
  const { rules, otherwise } = shortened(
    both(rulesOf(table.server.access), any),
  );
  const text = `#!/usr/sbin/nft -f
# ${about}
# It drops what the server would refuse of every service, and leaves the rest to
# the other chains. The server goes on to decide who may use which service.

table inet tcpmux
delete table inet tcpmux

table inet tcpmux {
	chain input {
		type filter hook input priority filter; policy accept;
${listeners(table).map((match) => `\t\t${match} jump clients\n`).join("")}	}

	chain clients {
${
    lines(rules).map((line) =>
      `		${line}
`
    ).join("")
  }${otherwise ? "" : "\t\tdrop\n"}	}
}
`;
  return { "tcpmux.nft": text };
}

function rulesOf({ allow, deny }: Access): AddressRules {
  const rule = (admits: boolean) => (prefix: Access["allow"][number]) => ({
    network: new Network(prefix),
    admits,
  });
  return {
    // Of one prefix in both lists, deny decides.
    rules: [...deny.map(rule(false)), ...allow.map(rule(true))],
    otherwise: allow.length === 0,
  };
}

/**
 * What comes to the listeners; a host name stands for all addresses, and what
 * systemd opens for the port of TCPMUX.
 */
function listeners({ server }: Table): string[] {
  return (server.listen ?? [SYSTEMD]).flatMap((address: ListenAddress) => {
    // Of what comes by a proxy, packets do not show whose it is.
    if (address.transport === "unix" || address.proxyHeader) return [];
    if (address.transport === "systemd") return `tcp dport ${TCPMUX_PORT}`;
    const { host, port } = address;
    if (port === 0) return [];
    const isAny = isIP(host) === 0 || host === "::" || host === "0.0.0.0";
    const family = isIP(host) === 6 ? "ip6" : "ip";
    const to = isAny ? "" : `${family} daddr ${host.replace(/%.*/, "")} `;
    return `${to}tcp dport ${port}`;
  });
}

/** A line for each network, the longest prefixes first. */
function lines(rules: readonly AddressRule[]): string[] {
  return rules.toSorted((a, b) =>
    b.network.prefix.length - a.network.prefix.length
  ).map(({ network, admits }) => {
    const { family, length } = network.prefix;
    const match = length === 0
      ? `meta nfproto ${family}`
      : `${family === "ipv4" ? "ip" : "ip6"} saddr ${network}`;
    return `${match} ${admits ? "return" : "drop"}`;
  });
}
