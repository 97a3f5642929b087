import type { Endpoint } from "../../endpoint.ts";
import type { ExecService } from "../../table/service.ts";
import type { Identity } from "./identity.ts";
import type { ServiceContext } from "../opened.ts";
import { DEFAULT_PATH } from "./find_program.ts";

/**
 * The whole environment of a program: it starts empty. The connection is
 * told as UCSPI-TCP does (cr.yp.to/ucspi-tcp/environment.html), as systemd
 * and xinetd do, and in names of our own. What the table says comes last.
 */
export function execEnv(
  service: ExecService,
  identity: Identity,
  context: ServiceContext,
): Record<string, string> {
  const env: Record<string, string> = { PATH: DEFAULT_PATH };
  for (const name of ["TZ", "LANG", ...service.passenv]) {
    const value = context.premises.getEnv(name);
    if (value !== undefined) env[name] = value;
  }
  if (identity.name !== "") {
    env["USER"] = env["LOGNAME"] = identity.name;
  }
  env["HOME"] = identity.home;
  if (identity.shell !== "") env["SHELL"] = identity.shell;
  return {
    ...env,
    ...addresses(context.local, context.remote),
    TCPCONNNUM: String(context.fromSource),
    TCPMUX_SERVICE: service.name,
    TCPMUX_SESSION_ID: String(context.id),
    TCPMUX_LISTENER: context.premises.listener,
    ...service.env,
  };
}

function addresses(local: Endpoint, remote: Endpoint): Record<string, string> {
  if (local.transport !== "tcp" || remote.transport !== "tcp") {
    return { PROTO: "UNIX" };
  }
  return {
    PROTO: "TCP",
    TCPLOCALIP: local.host,
    TCPLOCALPORT: String(local.port),
    TCPREMOTEIP: remote.host,
    TCPREMOTEPORT: String(remote.port),
    REMOTE_ADDR: remote.host,
    REMOTE_PORT: String(remote.port),
    REMOTE_HOST: remote.host,
  };
}
