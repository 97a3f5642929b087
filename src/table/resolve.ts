/** Fills in the defaults, once: behind this nothing is undefined any more. */
import type * as z from "zod";
import type { Endpoint } from "../endpoint.ts";
import type {
  handlerSchema,
  KindKey,
  kindSchemas,
  serverSchema,
} from "./schema.ts";
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
    maxConnections: valid.max_connections ?? 4096,
    log: {
      level: valid.log?.level ?? "info",
      format: valid.log?.format ?? "text",
    },
  };
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
  };
}

function asList(value: Endpoint | Endpoint[]): [Endpoint, ...Endpoint[]] {
  return (Array.isArray(value) ? value : [value]) as [Endpoint, ...Endpoint[]];
}
