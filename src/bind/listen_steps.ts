/** Checks of what clients send ahead of their requests. */
import { formatPlace } from "../parse_endpoint.ts";
import { Problems } from "../table/problem.ts";
import { placeOf, type Table } from "../table/table.ts";

/**
 * Checks that the table says all that the schemes of its addresses need.
 *
 * @throws {TableError} that names each key which is missing, or cannot be served
 */
export function checkSteps(table: Table, file?: string): void {
  const problems = new Problems(file, table.located);
  for (const listener of table.listeners) {
    const { endpoint } = listener;
    if (endpoint === undefined) continue;
    const path = [...placeOf(listener), "listen"];
    const address = formatPlace(endpoint);
    // Who may connect to a Unix socket is said by the mode of its file.
    const needsTrust = endpoint.proxyHeader && endpoint.transport !== "unix";
    if (needsTrust && table.server.trustedProxies.allow.length === 0) {
      problems.add(
        path,
        `has proxy://${address}, which needs trusted_proxies in [server]: the ` +
          "addresses of the proxies that may say who their clients are",
      );
    }
  }
  problems.throwIfAny();
}
