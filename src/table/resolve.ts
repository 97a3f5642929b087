/** Makes settings and services of the values that the schemas have read. */
import type * as v from "valibot";
import type { ListenAddress } from "../parse_endpoint.ts";
import {
  Access,
  AddressSet,
  EVERYBODY,
  NOBODY,
  type Prefix,
} from "../policy/access.ts";
import {
  ANY_CERTIFICATE,
  CertificateList,
  type CertificateRule,
} from "../policy/certificates.ts";
import { Hours } from "../policy/hours.ts";
import type { ServerLimits } from "../policy/limit_settings.ts";
import type {
  commonSchema,
  handlerSchema,
  KindKey,
  kindSchemas,
} from "./schema.ts";
import type { serverSchema } from "./server_schema.ts";
import type { HandlerService, Service } from "./service.ts";
import type { ServerSettings } from "./table.ts";
import { resolveFirstBytes } from "./steps/first_bytes.ts";
import { resolveTls } from "./steps/server_tls.ts";
import { resolveUpstreamTls } from "./steps/upstream_tls.ts";

type Valid<K extends KindKey> = v.InferOutput<typeof kindSchemas[K]>;

export function resolveServer(
  valid: v.InferOutput<typeof serverSchema>,
): ServerSettings {
  const { syslog_format: syslogFormat, ...log } = valid.log;
  return {
    listen: valid.listen === undefined ? undefined : asList(valid.listen),
    user: valid.user ?? "",
    group: valid.group ?? "",
    help: valid.help,
    handshakeTimeout: valid.handshake_timeout,
    connectTimeout: valid.connect_timeout,
    idleTimeout: valid.idle_timeout,
    halfClosedTimeout: valid.half_closed_timeout,
    stallTimeout: valid.stall_timeout,
    drainTimeout: valid.drain_timeout,
    maxDuration: valid.max_duration,
    access: accessOf(valid),
    certificates: certificatesOf(valid.allow_certificate),
    trustedProxies: valid.trusted_proxies.length === 0
      ? NOBODY
      : new Access(valid.trusted_proxies, []),
    limits: resolveLimits(valid),
    timeZone: valid.time_zone,
    watch: valid.watch,
    log: { ...log, syslogFormat },
    tls: resolveTls(valid.tls),
    firstBytes: resolveFirstBytes(valid.first_bytes),
    admin: valid.admin,
    adminHosts: valid.admin_hosts,
    control: valid.control && valid.control.path,
  };
}

/** The most refused clients that may wait for their reply at a time. */
const MAX_REFUSING = 64;

function resolveLimits(
  valid: v.InferOutput<typeof serverSchema>,
): ServerLimits {
  const { enabled, exempt, threshold, max, ...offences } = valid.penalties;
  const { unknown, malformed, unfinished } = offences;
  return {
    maxConnections: valid.max_connections,
    maxStartups: valid.max_handshakes,
    maxRefusing: MAX_REFUSING,
    maxConnectionsPerSource: valid.max_connections_per_source,
    ratePerSource: valid.rate_per_source,
    ipv6SourcePrefix: valid.ipv6_source_prefix,
    penalties: {
      unknown: enabled ? unknown : 0,
      malformed: enabled ? malformed : 0,
      unfinished: enabled ? unfinished : 0,
      threshold,
      max,
      exempt: new AddressSet(exempt),
    },
  };
}

function accessOf(
  { allow, deny }: { allow: Prefix[]; deny: Prefix[] },
): Access {
  return allow.length + deny.length === 0 ? EVERYBODY : new Access(allow, deny);
}

function certificatesOf(rules: readonly CertificateRule[]): CertificateList {
  return rules.length === 0 ? ANY_CERTIFICATE : new CertificateList(rules);
}

export function resolveService(
  name: string,
  kind: KindKey,
  valid: Valid<KindKey>,
  server: ServerSettings,
): Service {
  const base = resolveBase(name, valid, server);
  switch (kind) {
    case "builtin": {
      const { builtin, quotes } = valid as Valid<"builtin">;
      return { ...base, kind, builtin, quotes: quotes ?? [] };
    }
    case "exec": {
      const exec = valid as Valid<"exec">;
      return {
        ...base,
        kind,
        exec: exec.exec as [string, ...string[]],
        reply: exec.reply,
        stdio: exec.stdio,
        user: exec.user ?? "",
        group: exec.group ?? "",
        nice: exec.nice,
        umask: exec.umask,
        rlimits: exec.rlimits,
        cwd: exec.cwd ?? "",
        env: exec.env,
        passenv: exec.passenv,
        stderr: exec.stderr,
        onClientEnd: exec.on_client_end,
        killGrace: exec.kill_grace,
      };
    }
    case "connect": {
      const connect = valid as Valid<"connect">;
      return {
        ...base,
        kind,
        upstreams: asList(connect.connect),
        connectTimeout: connect.connect_timeout ?? server.connectTimeout,
        ready: connect.ready,
        proxyProtocol: connect.proxy_protocol,
        tls: resolveUpstreamTls(connect.tls),
      };
    }
    case "tcpmux": {
      const remote = valid as Valid<"tcpmux">;
      const { tcpmux } = remote;
      return {
        ...base,
        kind,
        upstream: tcpmux.upstream,
        remoteName: tcpmux.remoteName,
        connectTimeout: remote.connect_timeout ?? server.connectTimeout,
        proxyProtocol: remote.proxy_protocol,
        tls: resolveUpstreamTls(remote.tls, tcpmux.isTls),
      };
    }
    case "text":
      return { ...base, kind, text: (valid as Valid<"text">).text };
  }
}

export function resolveHandler(
  name: string,
  valid: v.InferOutput<typeof handlerSchema>,
  server: ServerSettings,
): HandlerService {
  const base = resolveBase(name, valid, server);
  return { ...base, kind: "handler", handler: valid.handler };
}

function resolveBase(
  name: string,
  valid: v.InferOutput<typeof commonSchema>,
  server: ServerSettings,
) {
  return {
    name,
    aliases: valid.aliases,
    description: valid.description,
    listed: valid.listed,
    enabled: valid.enabled,
    alpn: valid.alpn,
    message: valid.message,
    idleTimeout: valid.idle_timeout ?? server.idleTimeout,
    halfClosedTimeout: valid.half_closed_timeout ?? server.halfClosedTimeout,
    stallTimeout: valid.stall_timeout ?? server.stallTimeout,
    maxDuration: valid.max_duration ?? server.maxDuration,
    access: accessOf(valid),
    certificates: certificatesOf(valid.allow_certificate),
    hours: valid.hours &&
      new Hours(valid.hours, valid.time_zone ?? server.timeZone),
    limits: {
      maxConnections: valid.max_connections,
      maxConnectionsPerSource: valid.max_connections_per_source,
      rate: valid.rate,
      ratePause: valid.rate_pause,
      ratePerSource: valid.rate_per_source,
    },
  };
}

function asList<A extends ListenAddress>(value: A | A[]): [A, ...A[]] {
  return (Array.isArray(value) ? value : [value]) as [A, ...A[]];
}
