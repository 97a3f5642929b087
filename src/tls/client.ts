/** TLS with a server: who it must be, and what is wrong if it is not. */
import { isIP } from "node:net";
import {
  type AlternativeName,
  canonicalHost,
  type Endpoint,
  formatEndpoint,
  type ServerCertificateFacts,
  type TlsFacts,
} from "../endpoint.ts";
import { TcpmuxError } from "../errors.ts";
import { escaped } from "../log.ts";
import { dnsName, isHost } from "../policy/certificates.ts";
import { timeLeft } from "../timers.ts";
import { cancelled, timedOut } from "../transport/attempt.ts";
import { fromSystem } from "../transport/errno.ts";
import { nodeCrypto } from "../transport/net/builtins.ts";
import {
  ClientHandshake,
  refusedOf,
  type ServerJudge,
  type ShownByServer,
  troubleOf,
} from "../transport/net/tls/connect.ts";
import {
  type HandshakeTime,
  OWN_WAYS,
  sniOf,
  type TlsDemands,
} from "../transport/net/tls/demands.ts";
import type { Conn } from "../transport/transport.ts";
import { Judged } from "./authorities.ts";
import { type Certificate, readCertificate } from "./certificate.ts";
import { whyOursIsUnfit } from "./client_trust.ts";
import { certificateTextsIn } from "./der.ts";
import { faultOfAuthorities, faultsOfPair } from "./files.ts";

/** The server, and what is demanded of it. */
export interface WantedServer {
  readonly endpoint: Endpoint;
  readonly demands: TlsDemands;
  /** The protocols to offer (RFC 7301). */
  readonly alpn: readonly string[];
}

/** How an authority is named, or the key of a server. */
const CA_WAYS = "--ca, or the key ca";
const PIN_WAYS = "--pin, or the key pin";

/** How another name is demanded than the host's. */
const NAME_WAYS = "--server-name, or the key server_name";

/** What the runtimes say of a certificate whose authority they do not know. */
const UNSIGNED =
  /^(SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_(VERIFY_LEAF_SIGNATURE|GET_ISSUER_CERT(_LOCALLY)?))$/;

/**
 * Begins TLS as a client, on a connection that was opened `forTls` and that
 * nobody has read from. It closes the connection where it fails.
 *
 * @throws {TcpmuxError} `untrusted` where one side does not take the other's
 * certificate, `protocol` where there is no TLS to agree on, `timed_out`, or
 * `cancelled`
 */
export async function secureAsClient(
  conn: Conn,
  wanted: WantedServer,
  { timeout, begin, timers, hold }: HandshakeTime,
): Promise<Conn> {
  const { demands, alpn } = wanted;
  const handshake = new ClientHandshake(conn, {
    ca: demands.ca === undefined ? undefined : certificateTextsIn(demands.ca),
    cert: demands.cert,
    key: demands.key,
    sni: sniOf(nameOf(wanted)),
    alpn,
  }, new Judge(wanted));
  const what = `no TLS with ${formatEndpoint(wanted.endpoint)}`;
  hold({ abort: () => handshake.fail(cancelled(what)) });
  const expire = () => handshake.fail(timedOut(what, timeout));
  const timer = timers.after(timeLeft(timeout, begin), expire);
  try {
    return await handshake.done;
  } finally {
    timer?.cancel();
  }
}

/**
 * Finds out before anybody is connected to whether certificates and key can be
 * used: the runtimes say little of what is wrong with them, and Deno nothing.
 *
 * @throws {TcpmuxError} code `usage`
 */
export function checkTexts({ ca, cert, key, names }: TlsDemands): void {
  const pair = { cert: names?.cert ?? "cert", key: names?.key ?? "key" };
  const ofCa = ca === undefined
    ? undefined
    : faultOfAuthorities(ca, names?.ca ?? "ca");
  const wrong = ofCa ?? faultsOfPair({ cert, key }, pair)[0]?.message;
  if (wrong !== undefined) throw new TcpmuxError("usage", `TLS: ${wrong}`);
}

/** What to do where a server of tcpmux refuses its client's certificate. */
export function cureOf({ cert }: TlsDemands): string {
  if (cert === undefined) return OWN_WAYS;
  return whyOursIsUnfit(cert) ??
    "ask the administrator of the server, whose log says why";
}

/** The name that the certificate must have. */
function nameOf({ endpoint, demands }: WantedServer): string | undefined {
  if (demands.serverName !== undefined) return demands.serverName;
  return endpoint.transport === "tcp"
    ? endpoint.host.replace(/%.*/, "")
    : undefined;
}

class Judge implements ServerJudge {
  readonly #wanted: WantedServer;
  readonly #who: string;
  /** Whether the server has been accepted. */
  #isDone = false;

  constructor(wanted: WantedServer) {
    this.#wanted = wanted;
    this.#who = formatEndpoint(wanted.endpoint);
  }

  judge(shown: ShownByServer): TlsFacts {
    const { protocol, cipher, alpn, certificate } = shown;
    const read = readCertificate(certificate);
    const { names } = read;
    const server = factsOf(certificate, read);
    const { demands } = this.#wanted;
    const why = whyNotPinned(server, demands) ??
      (demands.verify
        ? this.#whyUntrusted(shown, server) ?? this.#whyUnnamed(names, server)
        : undefined);
    if (why !== undefined) {
      throw new TcpmuxError(
        "untrusted",
        `the certificate of ${this.#who} ${why}`,
        { address: this.#who },
      );
    }
    this.#isDone = true;
    return { protocol, cipher, sni: sniOf(nameOf(this.#wanted)), alpn, server };
  }

  #whyUntrusted(
    { distrust, certificate }: ShownByServer,
    { pin }: ServerCertificateFacts,
  ): string | undefined {
    if (distrust === undefined) return undefined;
    // Deno does not say what is wrong.
    const { fields: { from, until }, isForServers } = new Judged(certificate);
    const day = (time: number) => new Date(time).toISOString().slice(0, 10);
    if (until < Date.now()) {
      return `has expired on ${day(until)} (the server needs a new one)`;
    }
    if (from > Date.now()) {
      return `is not valid before ${day(from)} (or the clock of this ` +
        "machine is wrong)";
    }
    if (distrust === "INVALID_PURPOSE" || !isForServers) {
      return "is not one for servers (tcpmux cert issue has --server)";
    }
    const { ca, names } = this.#wanted.demands;
    const file = names?.ca ?? "ca";
    const asPin = "if you know that it is the right server, pin its key by " +
      `${PIN_WAYS}: ${pin}`;
    const cure = ca === undefined
      ? `give its authority by ${CA_WAYS}; or, ${asPin}`
      : `give the right one by ${CA_WAYS}; or, ${asPin}, without it`;
    if (distrust === "DEPTH_ZERO_SELF_SIGNED_CERT") {
      const isThere = ca === undefined ? "" : `, and it is not in ${file}`;
      return `is signed by itself${isThere} (${cure})`;
    }
    const signers = ca === undefined
      ? "not signed by an authority that is trusted"
      : `signed by none in ${file}`;
    const code = UNSIGNED.test(distrust) ? "" : `: ${distrust}`;
    return `is ${signers}, or the server does not send those between${code} ` +
      `(${cure})`;
  }

  #whyUnnamed(
    names: readonly AlternativeName[],
    { subject }: ServerCertificateFacts,
  ): string | undefined {
    const name = nameOf(this.#wanted);
    if (name === undefined) {
      return "cannot be checked, as a Unix socket has no host name " +
        `(give it by ${NAME_WAYS})`;
    }
    if (names.some((one) => isName(one, name))) return undefined;
    const has = names.filter(({ kind }) => kind === "dns" || kind === "ip")
      .map(({ value }) => escaped(value));
    const listed = has.length === 0
      ? `it has no subjectAltName, only ${escaped(subject)}`
      : `it is for ${has.slice(0, 8).join(", ")}`;
    return `is not for ${name}: ${listed} (connect to such a name, or give one ` +
      `by ${NAME_WAYS})`;
  }

  explain(error: unknown): Error {
    const { cert } = this.#wanted.demands;
    const unfit = cert === undefined ? undefined : whyOursIsUnfit(cert);
    const refused = refusedOf(error, this.#who, unfit);
    if (refused !== undefined) return refused;
    return this.#isDone
      ? fromSystem(error, "cannot read")
      : troubleOf(error, this.#who);
  }
}

function isName({ kind, value }: AlternativeName, name: string): boolean {
  if (isIP(name) !== 0) {
    return kind === "ip" && canonicalHost(value) === canonicalHost(name);
  }
  const [own, host] = [value, name.replace(/\.$/, "")].map(dnsName);
  return kind === "dns" && own !== undefined && isHost(own, host);
}

function whyNotPinned(
  { pin }: ServerCertificateFacts,
  { pins }: TlsDemands,
): string | undefined {
  if (pins.length === 0 || pins.some((one) => pin === `sha256//${one}`)) {
    return undefined;
  }
  return `has another key than the one pinned: its pin is ${pin} (if the ` +
    "server has got a new key, and you know that, pin that one)";
}

function factsOf(
  der: Uint8Array,
  { publicKey, until }: Certificate,
): ServerCertificateFacts {
  const { createHash, X509Certificate } = nodeCrypto();
  const { subject } = new X509Certificate(der);
  const hash = createHash("sha256").update(publicKey);
  return {
    subject: (subject || "(none)").trim().replaceAll(/\n/g, ", ")
      .replaceAll(/[^\x20-\x7e]/g, "?"),
    expires: until,
    pin: `sha256//${hash.digest("base64")}`,
  };
}
