import type { Peer, TlsFacts } from "../../endpoint.ts";
import { TcpmuxError } from "../../errors.ts";
import { alternativeNamesText, nameText } from "../../policy/certificates.ts";
import { unavailable } from "../../policy/refusal.ts";
import type { ExecService } from "../../table/service.ts";
import type { Opening, SessionContext } from "../service.ts";
import {
  checkFolder,
  DEFAULT_PATH,
  findProgram,
  pathOf,
  programOf,
} from "./find_program.ts";
import type { Identity } from "./identity.ts";
import { openOnPipes } from "./pipes.ts";
import { OpenedOnSocket } from "./socket.ts";
import type { ExecCommand } from "./start.ts";

/**
 * Opens a program that gets the connection as its standard input and output: on
 * pipes it starts now, on the client's own socket only behind the reply.
 */
export async function openExec(
  service: ExecService,
  context: SessionContext,
  identity: Identity,
): Opening {
  try {
    const command = commandOf(service, context, identity);
    return service.stdio === "socket"
      ? new OpenedOnSocket(command, service, context)
      : await openOnPipes(command, service, context);
  } catch (error) {
    if (!(error instanceof TcpmuxError)) throw error;
    return unavailable(error.message);
  }
}

/** @throws {TcpmuxError} where the program or its folder is missing */
function commandOf(
  service: ExecService,
  context: SessionContext,
  identity: Identity,
): ExecCommand {
  const env = execEnv(service, identity, context);
  const [, ...args] = service.exec;
  checkFolder(service);
  const file = programOf(service, context.server.getEnv);
  const tools = takeTools(identity, env, file);
  const [program, ...words] = [...tools, file];
  return {
    program: program!,
    args: [...words, ...args],
    tools,
    env,
    ...(service.cwd === "" ? {} : { cwd: service.cwd }),
    ...(service.umask === undefined ? {} : { umask: service.umask }),
  };
}

/**
 * The words of the tools that a program is started through. Variables of the
 * loader are taken out of `env`, because the tools must not obey them: env(1),
 * as the last tool, sets them for the program alone.
 */
function takeTools(
  { tools }: Identity,
  env: Record<string, string>,
  file: string,
): readonly string[] {
  if (tools.length === 0) return tools;
  const variables = takeLoaderVariables(env);
  if (variables.length === 0) return tools;
  if (!file.includes("=")) {
    return [...tools, findProgram("env", DEFAULT_PATH), ...variables];
  }
  throw new TcpmuxError(
    "unsupported",
    `cannot start ${file}: env(1), which sets ${
      variables.map((word) => word.slice(0, word.indexOf("="))).join(", ")
    }, takes a path with "=" for a variable`,
  );
}

/**
 * The whole environment of a program, which starts empty. It describes the
 * connection as UCSPI-TCP (cr.yp.to/ucspi-tcp/environment.html), systemd and
 * xinetd do, and in variables of our own. The table's `env` comes last, so that
 * it wins.
 */
function execEnv(
  service: ExecService,
  identity: Identity,
  context: SessionContext,
): Record<string, string> {
  const { getEnv } = context.server;
  const env: Record<string, string> = {};
  for (const name of ["TZ", "LANG", ...service.passenv]) {
    const value = getEnv(name);
    if (value !== undefined) env[name] = value;
  }
  if (identity.name !== "") {
    env["USER"] = env["LOGNAME"] = identity.name;
  }
  env["HOME"] = identity.home;
  if (identity.shell !== "") env["SHELL"] = identity.shell;
  return {
    ...env,
    ...addresses(context.peer),
    ...ofTls(context.peer.tls),
    TCPCONNNUM: String(context.fromSource),
    TCPMUX_SERVICE: service.name,
    TCPMUX_SESSION_ID: String(context.id),
    TCPMUX_LISTENER: context.server.listener,
    ...service.env,
    PATH: pathOf(service, getEnv),
  };
}

function addresses({ local, remote }: Peer): Record<string, string> {
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

/** What Apache and stunnel call it; and our own for a client's certificate. */
function ofTls(tls: TlsFacts | undefined): Record<string, string> {
  if (tls === undefined) return {};
  const { certificate } = tls;
  return {
    SSL_PROTOCOL: tls.protocol,
    SSL_CIPHER: tls.cipher,
    ...(tls.sni === undefined ? {} : { SSL_TLS_SNI_SERVERNAME: tls.sni }),
    ...(certificate === undefined ? {} : {
      SSL_CLIENT_DN: nameText(certificate.subject),
      SSL_CLIENT_I_DN: nameText(certificate.issuer),
      TCPMUX_PEER_SUBJECT: nameText(certificate.subject),
      TCPMUX_PEER_SAN: alternativeNamesText(certificate.names),
      TCPMUX_PEER_FINGERPRINT: certificate.fingerprint,
    }),
  };
}

/**
 * Variables that make the system's libraries load or read other files: those
 * that the loader itself keeps from programs that change their user.
 */
const LOADER =
  /^(LD_.*|GLIBC_TUNABLES|GCONV_PATH|GETCONF_DIR|HOSTALIASES|LOCALDOMAIN|LOCPATH|MALLOC_.*|NIS_PATH|NLSPATH|RESOLV_.*|RES_OPTIONS|TMPDIR|TZDIR)$/;

/**
 * Takes the loader's variables out of an environment, as `NAME=value`. The
 * tools that a program is started through may run as root, and must not load
 * what the table names for the program.
 */
function takeLoaderVariables(env: Record<string, string>): string[] {
  const variables: string[] = [];
  for (const [name, value] of Object.entries(env)) {
    if (!LOADER.test(name)) continue;
    variables.push(`${name}=${value}`);
    delete env[name];
  }
  return variables;
}
