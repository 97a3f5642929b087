/** Whether a table says all that the schemes of its addresses need. */
import {
  formatPlace,
  type ListenSteps,
  schemeOf,
} from "../../parse_endpoint.ts";
import type { Access } from "../../policy/access.ts";
import type { Problems } from "../problem.ts";
import { type ListenerSpec, placeOf } from "../service.ts";
import type { TlsSettings } from "./tls_settings.ts";

/** What the schemes need of `[server]`. */
interface StepSettings {
  readonly tls: TlsSettings | undefined;
  readonly trustedProxies: Access;
}

/** Adds problems for what is missing there, and for addresses that contradict. */
export function addStepProblems(
  listeners: readonly ListenerSpec[],
  { tls, trustedProxies }: StepSettings,
  problems: Problems,
): void {
  const seen = new Map<string, ListenSteps["tls"]>();
  for (const [index, listener] of listeners.entries()) {
    const { endpoint, protocol } = listener;
    if (endpoint === undefined) continue;
    const key = [...placeOf(listener), "listen"];
    const item = protocol === "tcpmux" ? [...key, index] : key;
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
    const isTwice = seen.has(place) && seen.get(place) !== endpoint.tls;
    if (isTwice && !/:0$/.test(place)) {
      problems.add(item, `${place} stands there both with tls:// and without`);
    }
    seen.set(place, endpoint.tls);
  }
}
