/** Whether a table says all that the schemes of its addresses need. */
import {
  formatPlace,
  type ListenSteps,
  schemeOf,
} from "../../parse_endpoint.ts";
import type { Access } from "../../policy/access.ts";
import type { CertificateList } from "../../policy/certificates.ts";
import type { KeyPath, Problems } from "../problem.ts";
import { type ListenerSpec, placeOf, type Service } from "../service.ts";
import type { TlsSettings } from "./server_tls.ts";
import { addUpstreamTlsProblems } from "./upstream_tls.ts";

/** What concerns the schemes, of a table. */
interface Stepping {
  readonly listeners: readonly ListenerSpec[];
  readonly services: readonly Service[];
  readonly server: {
    readonly tls: TlsSettings | undefined;
    readonly trustedProxies: Access;
    readonly certificates: CertificateList;
  };
}

/** Adds problems for what is missing there, and for addresses that contradict. */
export function addStepProblems(table: Stepping, problems: Problems): void {
  const { tls, trustedProxies } = table.server;
  const seen = new Map<string, ListenSteps["tls"]>();
  for (const [index, listener] of table.listeners.entries()) {
    const { endpoint } = listener;
    if (endpoint === undefined) continue;
    const key = [...placeOf(listener), "listen"];
    const item = itemOf(listener, index);
    const place = formatPlace(endpoint);
    // Who may connect to a Unix socket is said by the mode of its file.
    const needsTrust = endpoint.proxyHeader && endpoint.transport !== "unix";
    if (needsTrust && trustedProxies.allow.length === 0) {
      problems.add(
        key,
        `has proxy://${place}, which needs trusted_proxies in [server]: the ` +
          "addresses of the proxies that may say who their clients are",
      );
    }
    if (endpoint.tls !== undefined && tls === undefined) {
      const scheme = schemeOf({ tls: endpoint.tls });
      problems.add(
        item,
        `${scheme} needs [server.tls] with cert and key (or take ${scheme} away)`,
      );
    }
    const asked = tls?.clientCertificate;
    if (endpoint.tls === "or-plain" && asked === "required") {
      const scheme = schemeOf({ tls: "or-plain" });
      problems.add(
        item,
        `${scheme} lets clients leave out TLS, and their certificate with it, ` +
          "which client_certificate in [server.tls] requires (put tls:// in its " +
          'place, or say client_certificate = "optional")',
      );
    }
    const isTwice = seen.has(place) && seen.get(place) !== endpoint.tls;
    if (isTwice && !/:0$/.test(place)) {
      problems.add(item, `${place} stands there both with tls:// and without`);
    }
    seen.set(place, endpoint.tls);
  }
  if (tls !== undefined) addClientProblems(tls, problems);
  addNameProblems(table, problems);
  addUpstreamTlsProblems(table, problems);
}

function itemOf(listener: ListenerSpec, index: number): KeyPath {
  const key = [...placeOf(listener), "listen"];
  return listener.protocol === "tcpmux" ? [...key, index] : key;
}

/** Adds problems for what `[server.tls]` says of clients' certificates. */
function addClientProblems(
  { clientCertificate: asked, clientCa, crl }: TlsSettings,
  problems: Problems,
): void {
  if (clientCa !== undefined) return;
  const why = "needs client_ca, the file of the authorities that sign the " +
    "certificates of clients";
  if (asked !== "none") {
    const at = ["server", "tls", "client_certificate"];
    problems.add(at, `is ${JSON.stringify(asked)}, which ${why}`);
  }
  if (crl !== undefined) problems.add(["server", "tls", "crl"], why);
}

/** Adds problems for `allow_certificate` where clients show no certificate. */
function addNameProblems(
  { listeners, services, server }: Stepping,
  problems: Problems,
): void {
  const { tls, certificates } = server;
  const asks = (listener: ListenerSpec) =>
    listener.endpoint?.tls !== undefined && tls !== undefined &&
    tls.clientCertificate !== "none";
  // Who serves one connection that another program has accepted has no listener.
  if (listeners.length === 0) return;
  const why =
    "needs a listener that asks for certificates: tls:// in listen, " +
    "and client_ca in [server.tls]";
  if (!listeners.some(asks)) {
    if (!certificates.admitsAll) {
      problems.add(["server", "allow_certificate"], why);
    }
    for (const { name, certificates } of services) {
      if (certificates.admitsAll) continue;
      problems.add(["services", name, "allow_certificate"], why);
    }
    return;
  }
  if (certificates.admitsAll) return;
  for (const [index, listener] of listeners.entries()) {
    if (asks(listener)) continue;
    const { endpoint } = listener;
    const place = endpoint === undefined ? "port 1" : formatPlace(endpoint);
    problems.add(
      itemOf(listener, index),
      `asks at ${place} for no certificate, and allow_certificate of [server] ` +
        "keeps out all who have none (put tls:// before it, take it away, or " +
        "give the services allow_certificate instead)",
    );
  }
}
