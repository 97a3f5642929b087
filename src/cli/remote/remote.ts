/** The server that a command line means: an address, a URL, or an alias. */
import { type FileHandle, open, readFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { TcpmuxError } from "../../errors.ts";
import {
  readTarget,
  SERVER_FORMS,
  type ServerTarget,
} from "../../parse_endpoint.ts";
import { fromSystem } from "../../transport/errno.ts";
import {
  asDemanded,
  type ClientTls,
  PEM_NAMES,
  type PemNames,
  readPins,
  type TlsDemands,
  whyWrong,
} from "../../transport/net/tls/demands.ts";
import { getEnv, permitted } from "../../transport/permission.ts";
import { nearest } from "../../units.ts";
import { type FlagsOf, usage } from "../flags.ts";
import type { TLS_FLAGS } from "../spec/parts.ts";
import { faultOf } from "../tables/writers.ts";

export type TlsFlags = FlagsOf<
  { name: string; positionals: []; flags: typeof TLS_FLAGS }
>;

/** A server, and what is demanded of it by TLS, with whole paths of files. */
export interface Remote extends ServerTarget {
  /** Undefined without TLS. */
  readonly demands: TlsDemands | undefined;
}

/**
 * Finds out what server is meant. Flags come before what an alias says.
 *
 * @throws {TcpmuxError} code `usage`, or `invalid_table` for the file of aliases
 */
export async function remoteOf(word: string, flags: TlsFlags): Promise<Remote> {
  const [, scheme = "", name = "", path = ""] =
    /^(tcpmuxs?:\/\/)?([\w.-]+)(\/.*)?$/i.exec(word) ?? [];
  const alias = name === "" || scheme === "" && path !== ""
    ? undefined
    : (await readAliases())?.hosts.get(name);
  const own = demandsOfFlags(flags);
  const isTls = flags.tls || own !== undefined || alias?.isTls === true ||
    /^tcpmuxs:/i.test(scheme);
  const target = read(alias?.address ?? word, word, isTls);
  const ofUrl = alias === undefined ? target : read(scheme + name + path, word);
  const service = ofUrl.service ?? target.service;
  if (!target.tls) return { ...target, service, demands: undefined };
  const demands = { ...NO_DEMANDS, ...alias?.demands, ...own };
  // Who says whom to trust wants that verified, whatever the alias says.
  if (own?.ca ?? own?.serverName) demands.verify = true;
  const wrong = whyWrong(demands);
  if (wrong !== undefined) throw usage(`TLS: ${wrong}`);
  return { ...target, service, demands: asDemanded(demands) };
}

const NO_DEMANDS: TlsDemands = {
  ca: undefined,
  cert: undefined,
  key: undefined,
  serverName: undefined,
  pins: [],
  verify: true,
};

function read(address: string, word: string, isTls = false): ServerTarget {
  const target = readTarget(address, isTls);
  if (typeof target !== "string") return target;
  throw usage(
    `${JSON.stringify(word)} is not a server's address (${SERVER_FORMS}): ` +
      target,
  );
}

/** Undefined where no flag says anything of TLS. */
function demandsOfFlags(flags: TlsFlags): Partial<TlsDemands> | undefined {
  const { ca, cert, key, pin, "server-name": serverName } = flags;
  const pins = readPins(pin);
  if (typeof pins === "string") throw usage(`--pin: ${pins}`);
  const path = (file: string | undefined) => file && resolve(file);
  const all = {
    ca: path(ca),
    cert: path(cert),
    key: path(key),
    serverName,
    pins: pin === undefined ? undefined : pins,
  };
  const given = Object.entries(all).filter(([, value]) => value !== undefined);
  return given.length === 0 ? undefined : Object.fromEntries(given);
}

/** What the library wants: the texts in place of their files. */
export async function clientTlsOf(
  { demands }: Remote,
): Promise<ClientTls | undefined> {
  if (demands === undefined) return undefined;
  const { pins, serverName, verify } = demands;
  const [ca, cert, key] = await Promise.all(
    [demands.ca, demands.cert, demands.key].map(textOf),
  );
  const pin = pins.map((one) => `sha256//${one}`).join(";") || undefined;
  const { ca: caFile, cert: certFile, key: keyFile } = demands;
  const names: PemNames = { ca: caFile, cert: certFile, key: keyFile };
  const tls = { ca, cert, key, serverName, pin, verify, [PEM_NAMES]: names };
  return tls;
}

async function textOf(file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined;
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw fromSystem(error, `cannot read ${file}`);
  }
}

/**
 * What to say where no host of that name is found: an alias may be meant.
 * Undefined without a file of aliases, or where it explains nothing.
 */
export async function aliasHint(word: string): Promise<string | undefined> {
  const [, name = "", port] =
    /^(?:tcpmuxs?:\/\/)?([\w-]+)(:\d+)?(?:\/|$)/i.exec(word) ?? [];
  const aliases = name === "" ? undefined : await readAliases();
  if (aliases === undefined) return undefined;
  const { file, hosts } = aliases;
  if (hosts.has(name)) {
    return port && `${file} has ${name}, but an alias stands without a port`;
  }
  const meant = nearest(name, [...hosts.keys()]);
  const hint = meant === undefined ? "" : `: did you mean ${meant}?`;
  return `${file} has no ${name} either${hint}`;
}

/** Undefined where there is no such file, or none may be read. */
async function readAliases() {
  const file = configFile();
  if (file === undefined || !permitted("read")) return undefined;
  const text = await textOfConfig(file);
  if (text === undefined) return undefined;
  // Only who has such a file pays for what reads it.
  const { readHosts } = await import("./hosts.ts");
  const places = { folder: dirname(file), home: getEnv("HOME") };
  return { file, hosts: readHosts(text, file, places) };
}

/** @throws {TcpmuxError} also where others could write what stands there */
async function textOfConfig(file: string): Promise<string | undefined> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(file);
    const fault = faultOf(await handle.stat(), "it", file, CONFIG);
    if (fault === undefined) return await handle.readFile("utf8");
    throw new TcpmuxError("invalid_table", `${file}: ${fault}`);
  } catch (error) {
    const { code } = error as { code?: unknown };
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    const { message } = fromSystem(error, `cannot read ${file}`);
    throw new TcpmuxError("invalid_table", message, { cause: error });
  } finally {
    await handle?.close();
  }
}

const CONFIG = { what: "whom you trust", owner: "your own user" };

/** By the XDG Base Directory Specification; undefined without a home. */
function configFile(): string | undefined {
  const xdg = getEnv("XDG_CONFIG_HOME");
  const home = getEnv("HOME");
  const folder = xdg?.startsWith("/")
    ? xdg
    : home === undefined || home === ""
    ? undefined
    : join(home, ".config");
  return folder && join(folder, "tcpmux", "config.toml");
}
