// What is measured, of whom, in which world.
import { unpacedOf } from "./unpaced.mjs";

const PLAIN = ["plain-bun", "plain-deno", "plain-node"];
const MUXES = ["c", "bun", "deno", "node", ...PLAIN];
const RELAYS = ["direct", ...MUXES, "haproxy", "nginx"];
const SLOW_RELAYS = [...RELAYS, "socat", "proxyd"];
// Neither inetd tells more than a few names to HELP, and inetutils inetd may
// sleep for a second between clients: it is measured where programs run.
const INETDS = [...MUXES, "bun-binary", "xinetd", "inetd"];

const perSecond = { unit: "/s", better: "more" };

/** A scenario that is one run of the load generator for each figure. */
function loads(id, title, peers, mode, service, flags, more = {}) {
  return { id, title, peers, mode, service, flags, world: "main", ...more };
}

function handshakes(id, title, peers, service, flags, more) {
  return loads(
    id,
    title,
    peers,
    "handshake",
    service,
    ["--connections", 32, ...flags],
    { ...perSecond, group: "Handshakes", ...more },
  );
}

const handshake = [
  handshakes(
    "handshake-text",
    "a fixed answer",
    MUXES,
    "text",
    ["--body", 2],
    { short: true },
  ),
  handshakes(
    "handshake-proxied",
    "first byte of an upstream",
    [...SLOW_RELAYS, "bun-binary"],
    "byte",
    ["--body", 1],
    { short: true },
  ),
  handshakes(
    "refused",
    "an unknown name is refused",
    [...MUXES, "xinetd"],
    "no-such-service",
    ["--expect", "minus"],
  ),
  handshakes(
    "help",
    "HELP, 1,000 services",
    MUXES,
    "HELP",
    ["--expect", "list", "--lines", 1000],
    { world: "help" },
  ),
  ...[1, 100, 10_000].map((count) =>
    handshakes(
      `names-${count}`,
      `look-up among ${count.toLocaleString("en")}`,
      MUXES,
      `n${Math.floor(count / 2)}`,
      ["--body", 2],
      { world: `names${count}` },
    )
  ),
];

const roundTrips = [1, 32, 256].map((connections) =>
  loads(
    `rtt-${connections}`,
    `${connections} connection${connections > 1 ? "s" : ""}`,
    [
      ...connections === 256 ? RELAYS : SLOW_RELAYS,
      ...connections === 32 ? ["bun-binary"] : [],
    ],
    "rtt",
    "echo",
    ["--connections", connections],
    {
      ...perSecond,
      group: "Round trips of 64 bytes",
      short: connections === 32,
      // One at a time goes round: on two cores it would mostly be measured
      // how long a core takes to wake up, which differs by 5 to 1.
      oneCore: connections === 1,
    },
  )
);

const SERVICE_OF = { up: "sink", down: "source", both: "duplex" };

const megabytes = { unit: "MB/s", better: "more", scale: 1e-6 };

const throughput = Object.entries(SERVICE_OF).flatMap(([mode, service]) =>
  [1, 4, 64].map((connections) =>
    loads(
      `${mode}-${connections}`,
      `${mode}, ${connections} connection${connections > 1 ? "s" : ""}`,
      connections === 1 ? SLOW_RELAYS : RELAYS,
      mode,
      service,
      ["--connections", connections],
      {
        ...megabytes,
        group: "Bytes through a relay",
        short: connections === 4,
        ...mode === "both" ? { world: "duplex" } : {},
      },
    )
  )
);

/** @param over what the programs have as standard input and output */
function programs(prefix, over, peers, more) {
  // What a program takes that has ended is nobody's in some of these.
  const shared = { ...more, group: "Programs", costless: true };
  return [
    handshakes(
      prefix,
      `programs run, over ${over}`,
      peers,
      "hello",
      ["--connections", 8, "--body", 1],
      { ...shared, short: true },
    ),
    ...[["down", "zeros"], ["up", "swallow"]].map(([mode, service]) =>
      loads(
        `${prefix}-${mode}`,
        `bytes ${mode}, 1 connection, over ${over}`,
        peers.filter((id) => id !== "bun-binary"),
        mode,
        service,
        [],
        { ...megabytes, ...shared },
      )
    ),
  ];
}

const executed = [
  ...programs("exec", "pipes", INETDS, { world: "programs" }),
  // Deno cannot hand a socket to a program; the inetds always do.
  ...programs(
    "exec-socket",
    "the socket",
    ["c", "bun", "node", "plain-bun", "plain-node", "xinetd"],
    { world: "handed" },
  ),
];

const IDLE = [...MUXES, "haproxy", "nginx"];

/** Figures that one run gives together: see idle.mjs, startup.mjs, reload.mjs. */
const idleInTurn = [
  ["idle-1000", "memory each, 1,000", "KiB", "less", ["socat", "proxyd"]],
  ["idle-10000", "memory each, 10,000", "KiB", "less", []],
  ["idle-cpu", "processor while 10,000 idle", "ms/s", "less", []],
  ["crowd-0", "proxied handshakes, none idle", "/s", "more", []],
  ["crowd-10000", "proxied handshakes, 10,000 idle", "/s", "more", []],
].map(([id, title, unit, better, more]) => ({
  id,
  title,
  unit,
  better,
  peers: [...IDLE, ...more],
  group: "Idle connections",
  run: "idle",
  // The short form has it beside an earlier revision.
  paired: id === "idle-1000",
}));

const idle = [...idleInTurn, {
  id: "idle-worked",
  title: "memory each, 3,000, of a server that has worked",
  unit: "KiB",
  better: "less",
  peers: IDLE,
  group: "Idle connections",
  run: "worked",
  paired: true,
}];

const SECURE = ["bun", "deno", "node", "haproxy", "nginx", "stunnel"];

/** By TLS 1.3, on P-256, beside HAProxy: the C relay speaks no TLS. */
const byTls = { world: "tls", group: "TLS", beside: "haproxy" };

const tls = [
  loads(
    "tls-handshake",
    "whole handshakes, first byte of an upstream",
    SECURE,
    "tls-handshake",
    "byte",
    ["--connections", 8, "--body", 1],
    { ...perSecond, ...byTls },
  ),
  ...["up", "down"].flatMap((mode) =>
    [1, 4].map((connections) =>
      loads(
        `tls-${mode}-${connections}`,
        `${mode}, ${connections} connection${connections > 1 ? "s" : ""}`,
        SECURE,
        `tls-${mode}`,
        SERVICE_OF[mode],
        ["--connections", connections],
        { ...megabytes, ...byTls },
      )
    )
  ),
  {
    id: "tls-idle",
    title: "memory each, 1,000 idle",
    unit: "KiB",
    better: "less",
    peers: SECURE,
    run: "tls-idle",
    ...byTls,
  },
];

const FORMS = [
  "bun-source",
  "bun-bundle",
  "bun-binary",
  "deno-source",
  "deno-bundle",
  "node-source",
  "node-bundle",
];

const startup = [
  ["start-time", "start to the first answer", "ms"],
  ["start-memory", "private memory then", "MiB"],
].map(([id, title, unit]) => ({
  id,
  title,
  unit,
  better: "less",
  peers: ["c", ...FORMS],
  group: "Start",
  run: "startup",
}));

const client = ["up", "down"].map((mode) => ({
  ...megabytes,
  id: `client-${mode}`,
  title: `1 GB ${mode} in a pipe through a client`,
  peers: ["nc", "bun", "deno", "node"],
  group: "Client",
  run: "client",
  mode,
}));

const reload = [1, 10_000].map((count) => ({
  id: `reload-${count}`,
  title: `reload, ${count.toLocaleString("en")} service${count > 1 ? "s" : ""}`,
  unit: "ms",
  better: "less",
  peers: ["bun", "deno", "node"],
  group: "Reload",
  run: "reload",
  world: `names${count}`,
}));

const paced = [
  ...handshake,
  ...roundTrips,
  ...throughput,
  ...executed,
  ...tls,
  ...idle,
  ...client,
  ...startup,
  ...reload,
];

export const SCENARIOS = [...paced, ...unpacedOf(paced)];
