/** What becomes of a client by its certificate, or since it shows none. */
import { readFile } from "node:fs/promises";
import type { Endpoint, Peer } from "../../endpoint.ts";
import { TcpmuxError } from "../../errors.ts";
import { formatPlace, schemeOf } from "../../parse_endpoint.ts";
import { alternativeNamesText, nameText } from "../../policy/certificates.ts";
import type { Refusal } from "../../policy/refusal.ts";
import { Problems } from "../../table/problem.ts";
import type { ListenerSpec } from "../../table/service.ts";
import type { TlsSettings } from "../../table/steps/server_tls.ts";
import { readCertificate } from "../../tls/certificate.ts";
import {
  type ClientTrust,
  type ClientVerdict,
  NO_CERTIFICATE,
  verdictOn,
  whyUnfit,
} from "../../tls/client_trust.ts";
import { certificatesIn } from "../../tls/der.ts";
import { TlsFolder } from "../../tls/files.ts";
import { fromSystem } from "../../transport/errno.ts";
import { mayResume } from "../../transport/net/tls/accept.ts";
import { getEnv } from "../../transport/permission.ts";
import type { LoadedTable } from "../load.ts";
import type { Rule, Rules } from "./rules.ts";

/** How a client comes, and what it shows. */
export interface Coming {
  readonly remote: Endpoint;
  /** The proxy that it comes by. */
  readonly via: string | undefined;
  /** The file of its certificate. */
  readonly certificate: string | undefined;
  /** When, in milliseconds since 1970. */
  readonly now: number;
}

/** What the server knows of a client when TLS is over. */
export interface Standing {
  readonly tls?: Peer["tls"];
  /** Undefined for a client that may go on. */
  readonly refusal?: Refusal | undefined;
  readonly lines: readonly Rule[];
}

/**
 * @param unread gets a problem for each file that cannot be read here
 * @throws {TableError} for files that do not fit, as the server does
 */
export async function standingOf(
  loaded: LoadedTable,
  rules: Rules,
  coming: Coming,
  unread: Problems,
): Promise<Standing> {
  const { table: { listeners, server: { tls } } } = loaded;
  const clients = tls && await clientsOf(loaded, tls, unread);
  const ways = waysOf(listeners, coming);
  const asking = tls === undefined || tls.clientCertificate === "none"
    ? []
    : ways.filter(({ endpoint }) => endpoint?.tls);
  if (coming.certificate !== undefined) {
    const shown = await certificateIn(coming.certificate);
    return asking.length === 0
      ? { lines: [["certificate", `${shown.text} ${UNASKED}`]] }
      : standingBy(shown, judged(shown, clients, coming.now));
  }
  if (asking.length === 0 || tls?.clientCertificate !== "required") {
    return { lines: [] };
  }
  const place = rules.placeOfDemand();
  const isEverywhere = ways.every(({ endpoint }) => endpoint?.tls === true);
  if (isEverywhere) {
    const text = `none is shown, and one is required${place}`;
    return { refusal: NO_CERTIFICATE, lines: [["certificate", text]] };
  }
  const where = asking.map(({ endpoint }) =>
    `${schemeOf(endpoint!)}${formatPlace(endpoint!)}`
  );
  const text = "none is shown, and one is required by TLS at " +
    `${where.join(", ")}, where the client is refused${place}`;
  return { lines: [["certificate", text]] };
}

const UNASKED =
  "is not asked for: that takes tls:// in listen, and client_ca " +
  "in [server.tls]";

/** By what the server judges clients; undefined if it does not, or unread. */
async function clientsOf(
  { table, file }: LoadedTable,
  tls: TlsSettings,
  unread: Problems,
): Promise<ClientTrust | undefined> {
  const credentials = getEnv("CREDENTIALS_DIRECTORY");
  const problems = new Problems(file, table.located);
  const folder = new TlsFolder(file, credentials, unread);
  const { clients } = await folder.read(tls, problems);
  problems.throwIfAny();
  return clients;
}

/** The listeners that the client can have come to; all if none fits it. */
function waysOf(
  listeners: readonly ListenerSpec[],
  { remote, via }: Coming,
): readonly ListenerSpec[] {
  const fitting = listeners.filter(({ endpoint }) => {
    const hasProxy = endpoint?.proxyHeader === true;
    if (hasProxy !== (via !== undefined)) return false;
    const transport = endpoint?.transport ?? "tcp";
    return hasProxy || ["systemd", remote.transport].includes(transport);
  });
  return fitting.length === 0 ? listeners : fitting;
}

/** Without the authorities, what the certificate itself says decides. */
function judged(
  { der, along }: ExplainedCertificate,
  clients: ClientTrust | undefined,
  now: number,
): ClientVerdict {
  return clients?.foretell(der, along, now) ??
    verdictOn(der, (certificate) => whyUnfit(certificate, mayResume(), now));
}

function standingBy(
  { text }: ExplainedCertificate,
  { certificate, refusal }: ClientVerdict,
): Standing {
  const nothing = { sni: undefined, alpn: undefined };
  return {
    tls: { protocol: "", cipher: "", ...nothing, certificate },
    refusal,
    lines: [["certificate", text]],
  };
}

/** The certificate that the command line names. */
interface ExplainedCertificate {
  readonly der: Uint8Array;
  /** The certificates that the client shows with it. */
  readonly along: readonly Uint8Array[];
  /** Its names. */
  readonly text: string;
}

/**
 * @param file with the certificate first, in PEM
 * @throws {TcpmuxError} where there is none
 */
async function certificateIn(
  file: string,
): Promise<ExplainedCertificate> {
  const pem = await readFile(file, "utf8").catch((error) => {
    throw fromSystem(error, `--certificate ${file}`);
  });
  try {
    const [der, ...along] = certificatesIn(pem);
    const { subject, names } = readCertificate(der!);
    const texts = [nameText(subject), alternativeNamesText(names)];
    return { der: der!, along, text: texts.filter(Boolean).join("; ") };
  } catch (cause) {
    throw new TcpmuxError(
      "failed",
      `--certificate ${file}: it does not begin with a certificate in PEM`,
      { cause },
    );
  }
}
