/** Units that systemd starts a table's server by (systemd.service(5)). */
import { isIP } from "node:net";
import { TCPMUX_PORT } from "../../endpoint.ts";
import { type ListenSteps, schemeOf } from "../../parse_endpoint.ts";
import type { ExecService } from "../../table/service.ts";
import type { Table } from "../../table/table.ts";

/** Under this name the server asks for the sockets of its socket unit. */
const SOCKETS = "tcpmux";

/** What no server of a table needs, whatever its programs do. */
const ALWAYS = `ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
RestrictRealtime=yes
LockPersonality=yes
`;

/** What programs may need, and the server itself does not. */
const WITHOUT_PROGRAMS = `DynamicUser=yes
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
ProtectProc=invisible
PrivateTmp=yes
PrivateDevices=yes
RemoveIPC=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictSUIDSGID=yes
UMask=0077
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
SystemCallErrorNumber=EPERM
`;

export function systemdUnits(
  table: Table,
  { file, about }: {
    readonly file: string | undefined;
    readonly about: string;
  },
): Readonly<Record<string, string>> {
  const streams = streamsOf(table);
  const name = socketsName(table);
  const service = `${comment(about)}
[Unit]
Description=TCPMUX server (RFC 1078)
Documentation=man:tcpmux(1) man:services.toml(5)
Wants=network-online.target
After=network-online.target
${streams === undefined ? "" : "Requires=tcpmux.socket\nAfter=tcpmux.socket\n"}
[Service]
Type=notify
NotifyAccess=main
ExecStart=${
    words([
      "/usr/local/bin/tcpmux",
      "serve",
      ...file === undefined ? [] : ["--config", file],
      ...streams === undefined
        ? []
        : ["--listen", `${schemesOf(table)[0]}systemd:${name}`],
    ])
  }
${
    file === undefined
      ? ""
      : `ExecReload=${words(["/usr/local/bin/tcpmux", "check", file])}
ExecReload=/bin/kill -HUP $MAINPID
`
  }TimeoutStopSec=${stopSeconds(table)}
WatchdogSec=60
Restart=on-failure
LimitNOFILE=16384
RuntimeDirectory=tcpmux

${rights(table, streams !== undefined)}${ALWAYS}
[Install]
WantedBy=multi-user.target
`;
  if (streams === undefined) return { "tcpmux.service": service };
  const socket = `${comment(about)}
[Unit]
Description=TCPMUX port
Documentation=man:tcpmux(1)

[Socket]
${streams.map((stream) => `ListenStream=${stream}\n`).join("")}BindIPv6Only=both
FileDescriptorName=${name}
Backlog=511

[Install]
WantedBy=sockets.target
`;
  return { "tcpmux.service": service, "tcpmux.socket": socket };
}

/** Longer than the drain: systemd kills who takes longer. */
function stopSeconds({ server }: Table): number {
  return Math.ceil(server.drainTimeout / 1000) + 15;
}

/** The user and the rights that what the table serves needs. */
function rights({ services, server }: Table, hasSocket: boolean): string {
  const programs = services.filter((one): one is ExecService =>
    one.kind === "exec" && one.enabled
  );
  const port = hasSocket ? [] : ["CAP_NET_BIND_SERVICE"];
  const isRoot = server.user !== "" || server.group !== "" ||
    programs.some(({ user, group }) => user !== "" || group !== "");
  const runAsRoot = programs.filter(({ user }) => /^(root|0|)$/.test(user));
  if (isRoot && server.user === "" && runAsRoot.length > 0) {
    return `# Root, with all of its rights, which these run with:
# ${runAsRoot.map(({ name }) => name).join(" ")}
`;
  }
  if (isRoot) {
    return `# Root at the start: the table has users for its programs, or for the server.
# Those have none of these rights.
CapabilityBoundingSet=${
      [...port, "CAP_SETUID", "CAP_SETGID", "CAP_KILL", "CAP_SYS_NICE"].join(
        " ",
      )
    } CAP_SYS_RESOURCE CAP_DAC_READ_SEARCH CAP_CHOWN CAP_FOWNER
`;
  }
  if (programs.length === 0) {
    return `${WITHOUT_PROGRAMS}AmbientCapabilities=${port.join(" ")}
CapabilityBoundingSet=${port.join(" ")}
# No MemoryDenyWriteExecute=: JavaScript is compiled while it runs.
`;
  }
  return `# Its programs run as this user. They may need more than these lines let
# them have.
DynamicUser=yes
NoNewPrivileges=yes
ProtectSystem=strict
AmbientCapabilities=${port.join(" ")}
CapabilityBoundingSet=${port.join(" ")}
`;
}

/**
 * What a socket unit listens on; undefined where it cannot, as on host names or
 * on addresses of several schemes.
 */
function streamsOf(table: Table): readonly string[] | undefined {
  const { server } = table;
  // Sockets of one name are served in one way.
  if (schemesOf(table).length > 1) return undefined;
  const streams = (server.listen ?? [undefined]).map((address) => {
    if (address?.transport === "unix") {
      return address.path.replace(/^\0/, "@").replaceAll("%", "%%");
    }
    // What systemd opens is said there: the port of TCPMUX is the usual one.
    if (address?.transport !== "tcp") return `[::]:${TCPMUX_PORT}`;
    const { host, port } = address;
    if (isIP(host) === 0 || host.includes("%") || port === 0) return undefined;
    return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
  });
  return streams.includes(undefined)
    ? undefined
    : [...new Set(streams as readonly string[])];
}

/** The schemes of a table's addresses; an empty one for those without. */
function schemesOf({ server }: Table): readonly string[] {
  const addresses: readonly ListenSteps[] = server.listen ?? [{}];
  return [...new Set(addresses.map(schemeOf))];
}

/** The name by which a table asks for its sockets, if it does. */
function socketsName({ server }: Table): string {
  const named = server.listen?.find(({ transport }) => transport === "systemd");
  return named?.transport === "systemd" && named.name || SOCKETS;
}

function comment(about: string): string {
  return `# ${about}`;
}

/** Words of a command line, as systemd reads them. */
function words(list: readonly string[]): string {
  return list.map((word) => {
    const escaped = word.replaceAll("%", "%%").replaceAll("$", "$$$$");
    return /^[\w@%:,.+/$[\]-]+$/.test(escaped)
      ? escaped
      : `"${escaped.replace(/[\\"]/g, "\\$&")}"`;
  }).join(" ");
}
