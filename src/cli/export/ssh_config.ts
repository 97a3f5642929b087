/** Blocks of ssh_config(5), by which ssh reaches services through TCPMUX. */
import { basename } from "node:path";
import { TCPMUX_PORT } from "../../endpoint.ts";
import type { Service } from "../../table/service.ts";
import type { Table } from "../../table/table.ts";

/** The port that a service which speaks ssh is usually reached at. */
const SSH_PORT = 22;

export function sshConfig(
  table: Table,
  { about, host }: { readonly about: string; readonly host: string },
): { readonly "tcpmux.ssh_config": string } {
  const addresses = (table.server.listen ?? []).filter((
    { transport, proxyHeader },
  ) => transport === "tcp" && !proxyHeader);
  const address = addresses.find(({ tls }) => tls !== true) ?? addresses[0];
  const scheme = address?.tls === true ? "tcpmuxs://" : "";
  const port = address?.transport === "tcp" ? address.port : TCPMUX_PORT;
  const server = `${scheme}${host.includes(":") ? `[${host}]` : host}:${port}`;
  const services = table.services.filter(({ enabled }) => enabled);
  const blocks = services.filter(speaksSsh).map((service) => {
    const names = [service.name, ...service.aliases].filter(isPlain);
    if (names.length === 0) {
      return `# ${service.name}: ssh takes no host of that name\n`;
    }
    return `Host ${names.map((name) => `${name}.mux`).join(" ")}
	HostKeyAlias ${names[0]}.${host}
	ProxyCommand tcpmux connect ${server} ${names[0]}
`;
  });
  const others = services.filter((service) => !speaksSsh(service));
  const rest = others.length === 0
    ? ""
    : `\n# No ssh, as far as the table tells: ${
      others.map(({ name }) => name).join(" ")
    }\n`;
  const text = `# ${about}
# ssh NAME.mux, from hosts that have tcpmux: a part of ~/.ssh/config.

${blocks.join("\n")}${rest}`;
  return { "tcpmux.ssh_config": text };
}

/** By its name, its program, or the port that it leads to. */
function speaksSsh(service: Service): boolean {
  if (/(^|[^a-z])(ssh|sftp)/i.test(service.name)) return true;
  if (service.kind === "exec") {
    return service.exec.some((word) =>
      /^(sshd|dropbear)$/.test(basename(word))
    );
  }
  return service.kind === "connect" &&
    service.upstreams.some((upstream) =>
      upstream.transport === "tcp" && upstream.port === SSH_PORT
    );
}

/** What is no pattern, no token and no quote to ssh, nor to the shell. */
function isPlain(name: string): boolean {
  return /^[A-Za-z0-9][\w.-]*$/.test(name);
}
