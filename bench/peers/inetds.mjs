// The inetds that speak TCPMUX. They serve programs only.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../../scripts/runtimes.mjs";
import { findProgram, FOLDER, freePort, start } from "../processes.mjs";
import { untilListening, versionBy } from "../processes.mjs";
import { writeConfig } from "../worlds.mjs";

const programsOf = ({ services }) =>
  Object.entries(services)
    .filter(([, { connect }]) => connect === undefined)
    .map(([name, { exec }]) => [name, exec ?? ["/bin/true"]]);

async function serve(command, address, more = []) {
  const program = start(command);
  await untilListening(address, program);
  return {
    pids: [program.pid],
    target: (service) => ["--to", address, "--service", service, ...more],
    stop: program.stop,
  };
}

const xinetd = {
  id: "xinetd",
  title: "xinetd",
  foreign: true,
  version: () =>
    `xinetd ${versionBy([findProgram("xinetd"), "-version"], /(\d+\.\d+\S*)/)}`,
  missing: () => findProgram("xinetd") ? undefined : "xinetd is not installed",
  async start(world) {
    const port = await freePort();
    const entry = (name, type, keys) =>
      `service ${name}
{
  type = ${type} UNLISTED
  socket_type = stream
  protocol = tcp
  wait = no
  user = root
  ${keys.join("\n  ")}
}
`;
    const entries = programsOf(world).map(([name, [program, ...args]]) => {
      const keys = [`server = ${program}`];
      if (args.length > 0) keys.push(`server_args = ${args.join(" ")}`);
      return entry(name, "TCPMUXPLUS", keys);
    });
    // Its limits are for the open net: 50 connections a second, then a pause.
    const file = writeConfig(`defaults
{
  log_type = FILE /dev/null
  instances = UNLIMITED
  per_source = UNLIMITED
  cps = 1000000 1
}
${
      entry("tcpmux", "INTERNAL", [
        "id = tcpmux",
        "bind = 127.0.0.1",
        `port = ${port}`,
      ])
    }${entries.join("")}`);
    const command = [findProgram("xinetd"), "-dontfork", "-stayalive"];
    command.push("-f", file, "-pidfile", writeConfig(""));
    return await serve(command, `127.0.0.1:${port}`, ["--nul", 1]);
  },
};

/**
 * Debian's package conflicts with xinetd. So it may lie unpacked in a folder,
 * or is downloaded and unpacked for this run.
 */
function findInetd() {
  const inside = "usr/sbin/inetutils-inetd";
  const folders = [
    process.env.TCPMUX_TEST_INETD,
    join(ROOT, "node_modules/.cache/inetutils-inetd"),
    FOLDER,
  ];
  const find = () =>
    findProgram("inetutils-inetd") ??
      folders.map((folder) => join(folder ?? "/", inside))
        .find((file) => existsSync(file));
  return find() ?? (download() ? find() : undefined);
}

let tried = false;

function download() {
  if (tried) return false;
  tried = true;
  const script =
    "apt-get download -q inetutils-inetd && dpkg -x inetutils-inetd_*.deb .";
  const { status } = spawnSync("sh", ["-c", script], {
    cwd: FOLDER,
    timeout: 60_000,
  });
  return status === 0;
}

const inetd = {
  id: "inetd",
  title: "inetutils inetd",
  foreign: true,
  version: () =>
    `inetutils ${versionBy([findInetd(), "--version"], /\) (\S+)/)}`,
  missing() {
    if (!findInetd()) {
      return "inetutils-inetd is not installed, nor unpacked in the folder " +
        "that TCPMUX_TEST_INETD names, and cannot be downloaded";
    }
    return process.getuid() === 0 ? undefined : "it takes root for port 1";
  },
  async start(world) {
    // It serves TCPMUX on port 1 only: on an address that nobody else takes.
    const part = () => 2 + Math.floor(Math.random() * 250);
    const host = `127.${part()}.${part()}.${part()}`;
    const entries = programsOf(world).map(([name, command]) =>
      `tcpmux/+${name} stream tcp nowait root ${command[0]} ${
        [name, ...command.slice(1)].join(" ")
      }\n`
    );
    const listener = `${host}:tcpmux stream tcp nowait root internal\n`;
    const file = writeConfig([listener, ...entries].join(""));
    // Debugging is its only way to stay in the foreground.
    const command = [findInetd(), "--debug", `--pidfile=${writeConfig("")}`];
    command.push("--rate=100000000", file);
    return await serve(command, `${host}:1`);
  },
};

export const peers = [xinetd, inetd];
