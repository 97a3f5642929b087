// Relays that speak no TCPMUX: each backend has a port of its own.
import { existsSync } from "node:fs";
import { findProgram, freePort, start } from "../processes.mjs";
import { untilListening, versionBy } from "../processes.mjs";
import { THREADS, writeConfig } from "../worlds.mjs";

const NGINX_STREAM = "/usr/lib/nginx/modules/ngx_stream_module.so";

/**
 * A peer that one command, or one for each port, makes: `commands` gets a list
 * of [from, to] addresses, and where it is to end TLS, the certificate's files.
 */
function relay({ id, title, program, version, missing, commands }) {
  return {
    id,
    title,
    foreign: true,
    version: () => version(findProgram(program)),
    missing() {
      if (!findProgram(program)) return `${program} is not installed`;
      return missing?.();
    },
    async start({ services, maxConnections, tls }) {
      const ports = [];
      const addresses = {};
      for (const [name, { connect }] of Object.entries(services)) {
        if (connect === undefined) continue;
        addresses[name] = `127.0.0.1:${await freePort()}`;
        ports.push([addresses[name], connect]);
      }
      const path = findProgram(program);
      const programs = commands(ports, path, maxConnections, tls)
        .map((command) => start(command));
      for (const [i, [from]] of ports.entries()) {
        await untilListening(from, programs[i] ?? programs[0]);
      }
      return {
        pids: programs.map(({ pid }) => pid),
        target: (name) => ["--to", addresses[name]],
        stop: () => Promise.all(programs.map((each) => each.stop())),
      };
    },
  };
}

const haproxy = relay({
  id: "haproxy",
  title: "HAProxy",
  program: "haproxy",
  version: (path) => `HAProxy ${versionBy([path, "-v"], /version (\S+)/)}`,
  commands(ports, path, maxConnections, tls) {
    const secure = tls ? ` ssl crt ${tls.both}` : "";
    const sections = ports.map(([from, to], i) =>
      `listen l${i}\n  bind ${from}${secure}\n  server s ${to}\n`
    );
    const file = writeConfig(`global
  nbthread ${THREADS}
  maxconn ${maxConnections}
defaults
  mode tcp
  maxconn ${maxConnections}
  timeout connect 5s
  timeout client 1h
  timeout server 1h
${sections.join("")}`);
    return [[path, "-db", "-f", file]];
  },
});

const nginx = relay({
  id: "nginx",
  title: "nginx stream",
  program: "nginx",
  version: (path) => `nginx ${versionBy([path, "-v"], /nginx\/(\S+)/)}`,
  missing: () =>
    existsSync(NGINX_STREAM) ? undefined : "nginx's stream module is missing",
  commands(ports, path, maxConnections, tls) {
    const secure = tls ? " ssl" : "";
    const servers = ports.map(([from, to]) =>
      `  server { listen ${from}${secure} backlog=4096; proxy_pass ${to}; }\n`
    );
    const certificate = tls
      ? `  ssl_certificate ${tls.cert};\n  ssl_certificate_key ${tls.key};
  ssl_protocols TLSv1.3;\n`
      : "";
    const pid = writeConfig("");
    const file = writeConfig(`load_module ${NGINX_STREAM};
user root;
pid ${pid};
error_log /dev/null;
daemon off;
worker_processes ${THREADS};
events { worker_connections ${2 * maxConnections + 100}; }
stream {
  proxy_timeout 1h;
${certificate}${servers.join("")}}
`);
    return [[path, "-e", "/dev/null", "-c", file]];
  },
});

const stunnel = relay({
  id: "stunnel",
  title: "stunnel",
  program: "stunnel",
  version: (path) =>
    `stunnel ${versionBy([path, "-version"], /stunnel (\S+)/)}`,
  commands(ports, path, _, { both }) {
    const services = ports.map(([from, to], i) =>
      `[s${i}]\naccept = ${from}\nconnect = ${to}\ncert = ${both}\n`
    );
    const file = writeConfig(`foreground = quiet
pid =
debug = emerg
socket = l:TCP_NODELAY=1
socket = r:TCP_NODELAY=1
${services.join("")}`);
    return [[path, file]];
  },
});

const socat = relay({
  id: "socat",
  title: "socat, forking",
  program: "socat",
  version: (path) => `socat ${versionBy([path, "-V"], /version (\S+)/)}`,
  commands: (ports, path) =>
    ports.map(([from, to]) => {
      const [host, port] = from.split(":");
      const listen =
        `TCP4-LISTEN:${port},bind=${host},fork,reuseaddr,backlog=4096,nodelay`;
      return [path, listen, `TCP4:${to},nodelay`];
    }),
});

const proxyd = relay({
  id: "proxyd",
  title: "systemd-socket-proxyd",
  program: "systemd-socket-proxyd",
  version: (path) => `systemd ${versionBy([path, "--version"], /\((\S+)\)/)}`,
  missing: () =>
    findProgram("systemd-socket-activate")
      ? undefined
      : "systemd-socket-activate is not installed",
  commands: (ports, path) =>
    ports.map(([from, to]) => [
      findProgram("systemd-socket-activate"),
      `--listen=${from}`,
      path,
      "--connections-max=4096",
      to,
    ]),
});

export const peers = [haproxy, nginx, stunnel, socat, proxyd];
