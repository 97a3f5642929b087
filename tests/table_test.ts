import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { Access, AddressSet, EVERYBODY, NOBODY } from "../src/policy/access.ts";
import { ANY_CERTIFICATE } from "../src/policy/certificates.ts";
import { parseForwards } from "../src/table/forwards.ts";
import type { TableInput } from "../src/table/input.ts";
import { buildTable, parseTable } from "../src/table/parse.ts";
import { TableError } from "../src/table/problem.ts";
import { serverSchema } from "../src/table/server_schema.ts";
import type { ExecService, Service } from "../src/table/service.ts";

const EXAMPLE = readFileSync(new URL("../services.toml", import.meta.url), {
  encoding: "utf8",
});
const V4 = { transport: "tcp", host: "127.0.0.1" } as const;
const COMMON = {
  aliases: [],
  description: "",
  listed: true,
  enabled: true,
  alpn: [],
  message: "Go",
  idleTimeout: 0,
  halfClosedTimeout: 3_600_000,
  stallTimeout: 0,
  maxDuration: 0,
  access: EVERYBODY,
  certificates: ANY_CERTIFICATE,
  hours: undefined,
  limits: {
    maxConnections: 0,
    maxConnectionsPerSource: 0,
    rate: undefined,
    ratePause: 0,
    ratePerSource: undefined,
  },
};
const LIMITS = {
  maxConnections: 4096,
  maxStartups: { start: 512, percent: 30, full: 1024 },
  maxRefusing: 64,
  maxConnectionsPerSource: 256,
  ratePerSource: undefined,
  ipv6SourcePrefix: 64,
  penalties: {
    unknown: 2_000,
    malformed: 2_000,
    unfinished: 10_000,
    threshold: 20_000,
    max: 600_000,
    exempt: new AddressSet([]),
  },
};

/** The one service of a table with `[services.a]`. */
function service(toml: string, before = ""): Service {
  return parseTable(`${before}\n[services.a]\n${toml}`, "f").services[0]!;
}

describe("a table", () => {
  test("that is empty has the defaults", () => {
    for (const table of [parseTable("", "f"), buildTable({})]) {
      assertEquals(table.services, []);
      assertEquals({ ...table.server }, {
        listen: undefined,
        user: "",
        group: "",
        help: true,
        handshakeTimeout: 10_000,
        connectTimeout: 5_000,
        idleTimeout: 0,
        halfClosedTimeout: 3_600_000,
        stallTimeout: 0,
        drainTimeout: 30_000,
        maxDuration: 0,
        access: EVERYBODY,
        certificates: ANY_CERTIFICATE,
        trustedProxies: NOBODY,
        limits: LIMITS,
        timeZone: undefined,
        watch: false,
        log: {
          level: "info",
          format: "text",
          to: { kind: "stderr" },
          syslogFormat: undefined,
        },
        tls: undefined,
        firstBytes: undefined,
        admin: undefined,
        adminHosts: [],
        control: undefined,
      });
    }
  });

  test("says all of the server", () => {
    const { server } = parseTable(
      `[server]
      listen = ["[::1]:1", "unix:/run/x", "unix:@y", "systemd", "systemd:web",
        "proxy://[::1]:2", "tls://systemd", "proxy+tls://unix:@z", "tls-or-plain://systemd:a"]
      trusted_proxies = ["192.0.2.1"]
      user = "mux"
      group = "net"
      help = false
      handshake_timeout = "500ms"
      connect_timeout = "2s"
      idle_timeout = "5m"
      half_closed_timeout = "10m"
      stall_timeout = "15m"
      drain_timeout = "1h"
      max_duration = "8h"
      time_zone = "UTC"
      max_connections = 7
      max_handshakes = 9
      max_connections_per_source = 0
      rate_per_source = "1/s burst 5"
      ipv6_source_prefix = 56
      log = { level = "warn", format = "json", to = "/var/log/tcpmux.log" }
      admin = "127.0.0.1:9101"
      admin_hosts = ["Mux.example.org"]
      control = "unix:/run/c"
      [server.tls]
      cert = "a"
      key = "b"
      min_version = "1.3"
      require_alpn = true
      client_ca = "d"
      client_certificate = "optional"
      crl = "e"
      sni_names = ["Mux.example", "b"]
      [[server.tls.certificates]]
      cert = "c"
      key = "d"
      [server.first_bytes]
      "A" = "x"
      "\\u0000\\u00ff" = "y"
      [server.penalties]
      unknown = 0
      malformed = "1s"
      unfinished = "3s"
      threshold = "4s"
      max = "5s"`,
      "f",
    );
    assertEquals({ ...server }, {
      listen: [
        { transport: "tcp", host: "::1", port: 1 },
        { transport: "unix", path: "/run/x" },
        { transport: "unix", path: "\0y" },
        { transport: "systemd", name: undefined },
        { transport: "systemd", name: "web" },
        { transport: "tcp", host: "::1", port: 2, proxyHeader: true },
        { transport: "systemd", name: undefined, tls: true },
        { transport: "unix", path: "\0z", proxyHeader: true, tls: true },
        { transport: "systemd", name: "a", tls: "or-plain" },
      ],
      user: "mux",
      group: "net",
      help: false,
      handshakeTimeout: 500,
      connectTimeout: 2_000,
      idleTimeout: 300_000,
      halfClosedTimeout: 600_000,
      stallTimeout: 900_000,
      drainTimeout: 3_600_000,
      maxDuration: 28_800_000,
      access: EVERYBODY,
      certificates: ANY_CERTIFICATE,
      trustedProxies: new Access(
        [{ address: "192.0.2.1", family: "ipv4", length: 32 }],
        [],
      ),
      limits: {
        maxConnections: 7,
        maxStartups: { start: 9, percent: 100, full: 9 },
        maxRefusing: 64,
        maxConnectionsPerSource: 0,
        ratePerSource: { perMillisecond: 0.001, burst: 5 },
        ipv6SourcePrefix: 56,
        penalties: {
          unknown: 0,
          malformed: 1_000,
          unfinished: 3_000,
          threshold: 4_000,
          max: 5_000,
          exempt: new AddressSet([]),
        },
      },
      timeZone: "UTC",
      watch: false,
      log: {
        level: "warn",
        format: "json",
        to: { kind: "file", path: "/var/log/tcpmux.log" },
        syslogFormat: undefined,
      },
      tls: {
        certificates: [{ cert: "a", key: "b" }, { cert: "c", key: "d" }],
        minVersion: "1.3",
        requireAlpn: true,
        clientCertificate: "optional",
        clientCa: "d",
        crl: "e",
        sniNames: ["mux.example", "b"],
      },
      admin: { transport: "tcp", host: "127.0.0.1", port: 9101 },
      firstBytes: [
        { bytes: Uint8Array.of(0, 255), service: "y" },
        { bytes: Uint8Array.of(65), service: "x" },
      ],
      adminHosts: ["Mux.example.org"],
      control: "/run/c",
    });
  });

  test("has all domains, or none, in one word", () => {
    for (const [said, names] of [["true", true], ["false", []]] as const) {
      const text =
        `server.tls = { cert = "a", key = "b", sni_names = ${said} }`;
      assertEquals(parseTable(text, "f").server.tls?.sniNames, names);
    }
    assertThrows(
      () =>
        parseTable(
          'server.tls = { cert = "a", key = "b", sni_names = 1 }',
          "f",
        ),
      TableError,
      "allowed: a list of host names, or true or false",
    );
  });

  test("says who may use a service, when, and how much", () => {
    const { access, hours, limits, maxDuration } = service(
      `text = ""
      allow = ["10.0.0.0/8"]
      deny = ["10.1.0.0/16"]
      hours = ["mon-fri 08:00-18:00"]
      time_zone = "Europe/Berlin"
      max_duration = "1m"
      max_connections = 3
      max_connections_per_source = 2
      rate = "60/m"
      rate_pause = "10s"
      rate_per_source = "1/s"`,
      "server.max_duration = '1h'",
    );
    assertEquals(access.keepsOut("10.2.0.1"), undefined);
    assertEquals(access.keepsOut("10.1.0.1"), "deny");
    assertEquals(access.keepsOut("192.0.2.1"), "allow");
    assertEquals(hours!.include(Date.UTC(2026, 0, 5, 7)), true);
    assertEquals(hours!.include(Date.UTC(2026, 0, 4, 7)), false);
    assertEquals(maxDuration, 60_000);
    assertEquals(limits, {
      maxConnections: 3,
      maxConnectionsPerSource: 2,
      rate: { perMillisecond: 0.001, burst: 60 },
      ratePause: 10_000,
      ratePerSource: { perMillisecond: 0.001, burst: 1 },
    });
  });

  test("switches penalties off in one word", () => {
    const { server } = parseTable("server.penalties.enabled = false", "f");
    const { unknown, malformed, unfinished } = server.limits.penalties;
    assertEquals([unknown, malformed, unfinished], [0, 0, 0]);
  });

  test("has builtin services", () => {
    assertEquals<unknown>(service(`builtin = "qotd"`), {
      ...COMMON,
      name: "a",
      kind: "builtin",
      builtin: "qotd",
      quotes: [],
    });
  });

  test("has programs", () => {
    const defaults = {
      ...COMMON,
      name: "a",
      kind: "exec",
      reply: "server",
      stdio: "pipe",
      user: "",
      group: "",
      nice: undefined,
      umask: undefined,
      rlimits: {},
      cwd: "",
      env: {},
      passenv: [],
      stderr: "log",
      onClientEnd: "eof",
      killGrace: 5_000,
    };
    assertEquals<unknown>(service(`exec = ["/bin/date", "-u"]`), {
      ...defaults,
      exec: ["/bin/date", "-u"],
    });
    const set = `user = "u"\ngroup = "g"\ncwd = "/"\npassenv = ["X"]
      env = { A_1 = "=" }\nstderr = "client"\nreply = "service"
      kill_grace = 0\non_client_end = "terminate"\nnice = -20\numask = "0027"
      [services.a.rlimits]\nfiles = 9\nprocesses = "unlimited"\ncpu = "2m"
      memory = "1GiB"\ndata = 0\nstack = "unlimited"\nfile_size = "3B"
      core = "2KiB"`;
    assertEquals<unknown>(service(`exec = ["cat"]\n${set}`), {
      ...defaults,
      exec: ["cat"],
      reply: "service",
      user: "u",
      group: "g",
      cwd: "/",
      env: { A_1: "=" },
      nice: -20,
      umask: 0o27,
      rlimits: {
        ...{ files: 9, processes: Infinity, cpu: 120, memory: 2 ** 30 },
        ...{ data: 0, stack: Infinity, file_size: 3, core: 2048 },
      },
      passenv: ["X"],
      stderr: "client",
      onClientEnd: "terminate",
      killGrace: 0,
    });
  });

  test("has programs on the socket, with the server's times for one on pipes", () => {
    const server = `[server]\nidle_timeout = "7s"\nstall_timeout = "8s"`;
    const zero = "idle_timeout = 0\nhalf_closed_timeout = 0\nstall_timeout = 0";
    const hour = 3_600_000;
    for (
      const [own, times] of [["", [7_000, hour, 8_000]], [zero, [0, 0, 0]]]
    ) {
      const entry = service(`exec = ["cat"]\nstdio = "socket"\n${own}`, server);
      const { stdio, idleTimeout, halfClosedTimeout, stallTimeout } =
        entry as ExecService;
      assertEquals(stdio, "socket");
      assertEquals([idleTimeout, halfClosedTimeout, stallTimeout], times);
    }
  });

  const own = `idle_timeout = "1s"\nhalf_closed_timeout = 0\n` +
    `stall_timeout = "500ms"`;
  const kinds: [string, Partial<Service>][] = [
    [`builtin = "echo"`, { kind: "builtin" }],
    [`exec = ["cat"]`, { kind: "exec" }],
    [`connect = "127.0.0.1:22"`, { kind: "connect" }],
    [`tcpmux = "127.0.0.1:1/b"`, { kind: "tcpmux" }],
    [`text = ""`, { kind: "text" }],
  ];
  for (const [toml, { kind }] of kinds) {
    test(`has times without bytes for services of the kind ${kind}`, () => {
      const times = (set: Service) => [
        set.kind,
        set.idleTimeout,
        set.halfClosedTimeout,
        set.stallTimeout,
      ];
      const server = `[server]\nhalf_closed_timeout = "3s"\n` +
        `stall_timeout = "2s"`;
      assertEquals(times(service(toml)), [kind, 0, 3_600_000, 0]);
      assertEquals(times(service(toml, server)), [kind, 0, 3_000, 2_000]);
      const ownTimes = [kind, 1_000, 0, 500];
      assertEquals(times(service(`${toml}\n${own}`, server)), ownTimes);
    });
  }

  test("has durations of many years", () => {
    const year = 365 * 24 * 3_600_000;
    const keys = Object.keys(serverSchema.entries).filter((key) =>
      /_timeout$|^max_duration$/.test(key)
    );
    const settings = keys.map((key) => `${key} = "876000h"`);
    const { server } = parseTable(`[server]\n${settings.join("\n")}`, "f");
    assertEquals(keys.length, 7);
    for (const key of keys) {
      const name = key.replace(/_(\w)/g, (_, letter) => letter.toUpperCase());
      assertEquals(server[name as "idleTimeout"], 100 * year, name);
    }
    const most = "999999999h";
    const { stallTimeout, limits } = service(
      `text = ""\nstall_timeout = "${most}"\nrate = "1/s"\n` +
        `rate_pause = "${most}"`,
    );
    assertEquals([stallTimeout, limits.ratePause], [
      999_999_999 * 3_600_000,
      999_999_999 * 3_600_000,
    ]);
  });

  test("of forwards has the same times without bytes", () => {
    const { services, server } = parseForwards(
      `[server]
      half_closed_timeout = "2h"
      stall_timeout = "1m"
      [forward.a]
      listen = "0"
      server = "127.0.0.1"
      [forward.b]
      listen = "0"
      server = "127.0.0.1"
      idle_timeout = "1s"
      half_closed_timeout = "2s"
      stall_timeout = "3s"`,
      "f",
      { settings: (said) => said },
    );
    const times = [server, ...services].map((each) => [
      each.idleTimeout,
      each.halfClosedTimeout,
      each.stallTimeout,
    ]);
    assertEquals(times, [
      [0, 7_200_000, 60_000],
      [0, 7_200_000, 60_000],
      [1_000, 2_000, 3_000],
    ]);
    assertEquals(server.limits.maxConnectionsPerSource, 0);
  });

  test("has upstreams, one or several, with the server's time-out", () => {
    const server = `[server]\nconnect_timeout = "7s"`;
    const common = {
      ...COMMON,
      name: "a",
      kind: "connect",
      ready: "connected",
      proxyProtocol: undefined,
      tls: undefined,
    };
    assertEquals<unknown>(service(`connect = "127.0.0.1:22"`, server), {
      ...common,
      upstreams: [{ ...V4, port: 22 }],
      connectTimeout: 7_000,
    });
    const two = `connect = ["127.0.0.1:22", "unix:/x"]\nconnect_timeout = "1s"
      proxy_protocol = 2`;
    assertEquals<unknown>(service(two, server), {
      ...common,
      upstreams: [{ ...V4, port: 22 }, { transport: "unix", path: "/x" }],
      connectTimeout: 1_000,
      proxyProtocol: 2,
    });
    const first = 'connect = "127.0.0.1:22"\nready = "first-byte"';
    assertEquals<unknown>(service(first, server), {
      ...common,
      upstreams: [{ ...V4, port: 22 }],
      connectTimeout: 7_000,
      ready: "first-byte",
    });
  });

  test("has services of other TCPMUX servers", () => {
    const rows: [string, unknown, string][] = [
      ["127.0.0.1:1/b", { ...V4, port: 1 }, "b"],
      ["127.0.0.1:1/b/c", { ...V4, port: 1 }, "b/c"],
      ["[::1]:1/b", { transport: "tcp", host: "::1", port: 1 }, "b"],
      ["unix:/run/x/b", { transport: "unix", path: "/run/x" }, "b"],
    ];
    for (const [tcpmux, upstream, remoteName] of rows) {
      assertEquals<unknown>(service(`tcpmux = "${tcpmux}"`), {
        ...COMMON,
        name: "a",
        kind: "tcpmux",
        upstream,
        remoteName,
        connectTimeout: 5_000,
        proxyProtocol: undefined,
        tls: undefined,
      });
    }
  });

  test("has services that are reached by TLS", () => {
    const demands = {
      ca: undefined,
      cert: undefined,
      key: undefined,
      serverName: undefined,
      pins: [],
      verify: true,
    };
    const tlsOf = (text: string) =>
      (service(text) as { tls?: unknown }).tls as unknown;
    const secure = 'tcpmux = "tcpmuxs://h/a%2fb"';
    assertEquals<unknown>(tlsOf(secure), demands);
    assertEquals<unknown>(tlsOf('tcpmux = "tcpmux://h/b"'), undefined);
    assertEquals<unknown>(tlsOf('connect = "h:1"\ntls = true'), demands);
    assertEquals<unknown>(tlsOf('connect = "h:1"\ntls = false'), undefined);
    const { upstream, remoteName } = service(secure) as {
      upstream?: unknown;
      remoteName?: unknown;
    };
    assertEquals<unknown>(upstream, {
      transport: "tcp",
      host: "h",
      port: 10001,
    });
    assertEquals<unknown>(remoteName, "a/b");
    // A pin without ca is in place of the check of authority and name.
    const pin = `pin = "sha256//${"A".repeat(43)}="`;
    assertEquals<unknown>(tlsOf(`connect = "h:1"\ntls = { ${pin} }`), {
      ...demands,
      pins: [`${"A".repeat(43)}=`],
      verify: false,
    });
    assertEquals<unknown>(
      tlsOf(`connect = "h:1"\ntls = { ${pin}, ca = "c" }`),
      { ...demands, ca: "c", pins: [`${"A".repeat(43)}=`] },
    );
  });

  test("has fixed texts, and what goes with any kind", () => {
    const set = `aliases = ["b", "C"]\ndescription = "d"\nlisted = false
      enabled = false\nmessage = ""\nidle_timeout = "1m"`;
    assertEquals<unknown>(service(`text = """\nx\n"""\n${set}`), {
      ...COMMON,
      name: "a",
      kind: "text",
      text: "x\n",
      aliases: ["b", "C"],
      description: "d",
      listed: false,
      enabled: false,
      message: "",
      idleTimeout: 60_000,
    });
  });

  test("of objects may have functions", () => {
    const handler = () => {};
    const { services } = buildTable({
      server: { idle_timeout: "1s" },
      services: { a: handler, b: { handler, aliases: ["c"], message: "Hi" } },
    });
    const common = { ...COMMON, kind: "handler", handler, idleTimeout: 1_000 };
    assertEquals<unknown>(services, [
      { ...common, name: "a" },
      { ...common, name: "b", aliases: ["c"], message: "Hi" },
    ]);
  });

  test("of objects may inherit keys, and have accessors", () => {
    const guarded = { allow: ["10.0.0.1"] };
    class Settings {
      get help() {
        return false;
      }
    }
    const { server, services } = buildTable({
      server: new Settings(),
      services: {
        a: Object.assign(Object.create(guarded), { text: "x" }),
        b: Object.create({ text: "y", enabled: false }),
      },
    });
    assert(!server.help);
    assert(!services[0]!.access.admitsAll);
    assertEquals(
      services.map(({ name, enabled }) => ({ name, enabled })),
      [{ name: "a", enabled: true }, { name: "b", enabled: false }],
    );
  });

  test("of objects says what the same in TOML says", () => {
    const input: TableInput = {
      server: { listen: "127.0.0.1:0", idle_timeout: "2s" },
      services: { a: { builtin: "echo" }, b: { connect: ["[::1]:2"] } },
    };
    const toml = `server = { listen = "127.0.0.1:0", idle_timeout = "2s" }
      services.a.builtin = "echo"
      services.b.connect = ["[::1]:2"]`;
    const built = buildTable(input);
    const parsed = parseTable(toml, "f");
    assertEquals(parsed.server, built.server);
    assertEquals(parsed.services, built.services);
    assertEquals(parsed.listeners, built.listeners);
  });

  test("finds services by name and alias, without regard to case", () => {
    const table = parseTable(
      `[services.Echo]\nbuiltin = "echo"\naliases = ["Hall"]`,
      "f",
    );
    for (const name of ["echo", "ECHO", "hall", "hALL"]) {
      assertEquals(table.byName.get(name.toUpperCase())?.name, "Echo");
    }
    for (const name of ["", "ech", "echo ", "__proto__", "toString"]) {
      assertEquals(table.byName.get(name.toUpperCase()), undefined);
    }
  });

  test("keeps the order of the file, whatever the names", () => {
    const names = ["b", "7", "a", "3", "A1"];
    const toml = names.map((name) => `[services.${name}]\ntext = ""\n`);
    const table = parseTable(toml.join(""), "f");
    assertEquals(table.services.map(({ name }) => name), names);
  });

  test("may begin with a byte order mark and end its lines with CRLF", () => {
    const text = "\uFEFF[services.a]\r\ntext = 'x'\r\n";
    assertEquals(parseTable(text, "f").services.length, 1);
  });

  test("the embedded one is right", () => {
    assert(parseTable(EXAMPLE, "services.toml").services.length > 3);
  });
});
