/** Fills in the defaults, once: behind this nothing is undefined any more. */
import type * as z from "zod";
import type { Endpoint } from "../endpoint.ts";
import {
  Access,
  AddressSet,
  EVERYBODY,
  type Prefix,
} from "../policy/access.ts";
import { Hours } from "../policy/hours.ts";
import type { ServerLimits } from "../policy/limit_settings.ts";
import type { handlerSchema, KindKey, kindSchemas } from "./schema.ts";
import type { serverSchema } from "./server_schema.ts";
import type { HandlerService, Service } from "./service.ts";
import type { ServerSettings } from "./table.ts";

type Valid<K extends KindKey> = z.output<typeof kindSchemas[K]>;

export function resolveServer(
  valid: z.output<typeof serverSchema>,
): ServerSettings {
  return {
    listen: valid.listen === undefined ? undefined : asList(valid.listen),
    help: valid.help ?? true,
    handshakeTimeout: valid.handshake_timeout ?? 10_000,
    connectTimeout: valid.connect_timeout ?? 5_000,
    idleTimeout: valid.idle_timeout ?? 0,
    drainTimeout: valid.drain_timeout ?? 30_000,
    maxDuration: valid.max_duration ?? 0,
    access: accessOf(valid),
    limits: resolveLimits(valid),
    timeZone: valid.time_zone,
    log: {
      level: valid.log?.level ?? "info",
      format: valid.log?.format ?? "text",
    },
  };
}

function resolveLimits(valid: z.output<typeof serverSchema>): ServerLimits {
  const { enabled = true, ...penalties } = valid.penalties ?? {};
  const by = (given: number | undefined, usual: number) =>
    enabled ? given ?? usual : 0;
  return {
    maxConnections: valid.max_connections ?? 4096,
    maxStartups: valid.max_handshakes ??
      { start: 512, percent: 30, full: 1024 },
    maxRefusing: 64,
    maxConnectionsPerSource: valid.max_connections_per_source ?? 256,
    ratePerSource: valid.rate_per_source,
    ipv6SourcePrefix: valid.ipv6_source_prefix ?? 64,
    penalties: {
      unknown: by(penalties.unknown, 2_000),
      malformed: by(penalties.malformed, 2_000),
      unfinished: by(penalties.unfinished, 10_000),
      threshold: penalties.threshold ?? 20_000,
      max: penalties.max ?? 600_000,
      exempt: new AddressSet(penalties.exempt ?? LOOPBACK),
    },
  };
}

/** What else is on this machine shares its address with every client of it. */
const LOOPBACK: readonly Prefix[] = [
  { address: "127.0.0.0", family: "ipv4", length: 8 },
  { address: "::1", family: "ipv6", length: 128 },
];

function accessOf(
  { allow = [], deny = [] }: { allow?: Prefix[]; deny?: Prefix[] },
): Access {
  return allow.length + deny.length === 0 ? EVERYBODY : new Access(allow, deny);
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
        reply: exec.reply ?? "server",
        stdio: exec.stdio ?? "pipe",
        // Who does not see the bytes cannot tell when there are none.
        ...(exec.stdio === "socket" ? { idleTimeout: 0 } : {}),
        user: exec.user ?? "",
        group: exec.group ?? "",
        nice: exec.nice,
        umask: exec.umask,
        rlimits: exec.rlimits ?? {},
        cwd: exec.cwd ?? "",
        env: exec.env ?? {},
        passenv: exec.passenv ?? [],
        stderr: exec.stderr ?? "log",
        killGrace: exec.kill_grace ?? 5_000,
      };
    }
    case "connect": {
      const { connect, connect_timeout } = valid as Valid<"connect">;
      return {
        ...base,
        kind,
        upstreams: asList(connect),
        connectTimeout: connect_timeout ?? server.connectTimeout,
      };
    }
    case "tcpmux": {
      const { tcpmux, connect_timeout } = valid as Valid<"tcpmux">;
      return {
        ...base,
        kind,
        ...tcpmux,
        connectTimeout: connect_timeout ?? server.connectTimeout,
      };
    }
    case "text":
      return { ...base, kind, text: (valid as Valid<"text">).text };
  }
}

export function resolveHandler(
  name: string,
  valid: z.output<typeof handlerSchema>,
  server: ServerSettings,
): HandlerService {
  const base = resolveBase(name, valid, server);
  return { ...base, kind: "handler", handler: valid.handler };
}

function resolveBase(
  name: string,
  valid: Omit<z.output<typeof handlerSchema>, "handler">,
  server: ServerSettings,
) {
  return {
    name,
    aliases: valid.aliases ?? [],
    description: valid.description ?? "",
    listed: valid.listed ?? true,
    enabled: valid.enabled ?? true,
    message: valid.message ?? "Go",
    idleTimeout: valid.idle_timeout ?? server.idleTimeout,
    maxDuration: valid.max_duration ?? server.maxDuration,
    access: accessOf(valid),
    hours: valid.hours &&
      new Hours(valid.hours, valid.time_zone ?? server.timeZone),
    limits: {
      maxConnections: valid.max_connections ?? 0,
      maxConnectionsPerSource: valid.max_connections_per_source ?? 0,
      rate: valid.rate,
      ratePause: valid.rate_pause ?? 0,
      ratePerSource: valid.rate_per_source,
    },
  };
}

function asList(value: Endpoint | Endpoint[]): [Endpoint, ...Endpoint[]] {
  return (Array.isArray(value) ? value : [value]) as [Endpoint, ...Endpoint[]];
}
