/** What a client demands of a server by TLS. */
import { isIP } from "node:net";
import type { TimerList } from "../../../timers.ts";

/** How a client speaks TLS. All of it is text: no path of a file. */
export interface ClientTls {
  /**
   * The certificates of the authorities that are trusted, in PEM.
   * @default those that the runtime trusts
   */
  ca?: string | undefined;
  /**
   * The client's own certificate in PEM, followed by those of the authorities
   * between it and the one that the server trusts. It needs `key`.
   * @default none
   */
  cert?: string | undefined;
  /**
   * The private key of `cert` in PEM, without a password.
   * @default none
   */
  key?: string | undefined;
  /**
   * The name that the server's certificate must have, and that the server is
   * asked for (SNI).
   * @default the host that is connected to
   */
  serverName?: string | undefined;
  /**
   * The hash of the server's public key, as curl's `--pinnedpubkey` has it:
   * `sha256//BASE64`, or several with `;` between them, of which one must fit.
   * Beside `ca` it is one more demand. Without `ca` it is the only one: then
   * neither the authority nor the name of the certificate matters.
   * @default none
   */
  pin?: string | undefined;
  /**
   * Whether the server must have a certificate of an authority that is trusted,
   * for its name. If not, anybody can be the server, unless `pin` is given.
   * @default true
   */
  verify?: boolean | undefined;
}

/** How long the handshake with a server may take, and who may end it. */
export interface HandshakeTime {
  /** Milliseconds for connection and handshake; 0 for no limit. */
  readonly timeout: number;
  /** When the connection was begun, by `performance.now()`. */
  readonly begin: number;
  readonly timers: TimerList;
  /** Is given what ends it at once. */
  hold(held: { abort(): void }): void;
}

/** What the texts are called in messages: by the names of their files. */
export type PemNames = Readonly<
  Partial<Record<"ca" | "cert" | "key", string | undefined>>
>;

/** Where the commands say from what files their {@linkcode ClientTls} is. */
export const PEM_NAMES = Symbol("names of ca, cert and key");

/** How a client without a certificate shows one. */
export const OWN_WAYS = "give --cert and --key, or the keys cert and key";

/** {@linkcode ClientTls}, read. */
export interface TlsDemands {
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  /** Undefined for the host that is connected to. */
  readonly serverName: string | undefined;
  /** Hashes in Base64; empty for none. */
  readonly pins: readonly string[];
  /** Whether authority and name are checked. */
  readonly verify: boolean;
  readonly names?: PemNames | undefined;
}

const MEMBERS: Readonly<Record<keyof ClientTls, "string" | "boolean">> = {
  ca: "string",
  cert: "string",
  key: "string",
  serverName: "string",
  pin: "string",
  verify: "boolean",
};

/**
 * Reads the option `tls` of the library.
 *
 * @returns undefined for a connection without TLS
 * @throws {TypeError} for a value that cannot be one
 */
export function demandsOf(
  tls: boolean | ClientTls | undefined,
): TlsDemands | undefined {
  if (tls === undefined || tls === false) return undefined;
  const given: ClientTls = tls === true ? {} : tls;
  if (typeof given !== "object" || given === null) {
    throw new TypeError("tls must be true, false or an object");
  }
  for (const [name, value] of Object.entries(given)) {
    const type = MEMBERS[name as keyof ClientTls];
    if (type === undefined) {
      const known = Object.keys(MEMBERS).join(", ");
      throw new TypeError(`tls.${name} is unknown; allowed: ${known}`);
    }
    if (value !== undefined && typeof value !== type) {
      throw new TypeError(`tls.${name} must be a ${type}`);
    }
  }
  const pins = readPins(given.pin);
  if (typeof pins === "string") throw new TypeError(`tls.pin: ${pins}`);
  const { ca, cert, key, serverName, verify = true } = given;
  const { [PEM_NAMES]: names } = given as { [PEM_NAMES]?: PemNames };
  const demands = { ca, cert, key, serverName, pins, verify, names };
  const wrong = whyWrong(demands);
  if (wrong !== undefined) throw new TypeError(`tls: ${wrong}`);
  return asDemanded(demands);
}

/** What contradicts itself; undefined where nothing does. */
export function whyWrong(
  { cert, key, serverName }: Omit<TlsDemands, "pins" | "verify">,
): string | undefined {
  if ((cert === undefined) !== (key === undefined)) {
    return "cert and key go together";
  }
  if (serverName !== undefined && !isServerName(serverName)) {
    return `the server's name is ${JSON.stringify(serverName)}; allowed: ` +
      SERVER_NAME_FORM;
  }
}

export const SERVER_NAME_FORM = "a host name or an address, without a port";

const NAME = /^([a-z0-9_-]+(\.[a-z0-9_-]+)*\.?|[0-9a-f:.]*:[0-9a-f:.]*)$/i;

export function isServerName(text: string): boolean {
  return NAME.test(text);
}

/** A pin without `ca` replaces the check of authority and name. */
export function asDemanded(demands: TlsDemands): TlsDemands {
  const { pins, ca, verify } = demands;
  return { ...demands, verify: verify && (pins.length === 0 || !!ca) };
}

export const PIN_FORM =
  "sha256//BASE64, the hash of a public key, or several with ; between them";

/** The hashes in a list of pins, or what is wrong with it. */
export function readPins(text: string | undefined): string[] | string {
  if (text === undefined) return [];
  const pins = text.split(";").map((pin) =>
    /^sha256\/\/([A-Za-z0-9+/]{43}=)$/.exec(pin.trim())?.[1]
  );
  return pins.every((pin) => pin !== undefined)
    ? pins
    : `${JSON.stringify(text)} is not ${PIN_FORM}`;
}

/** The name to ask a server for; undefined where there is none to ask for. */
export function sniOf(name: string | undefined): string | undefined {
  // RFC 6066, section 3: no address, and no dot at the end.
  return name === undefined || isIP(name) !== 0
    ? undefined
    : name.replace(/\.$/, "");
}
