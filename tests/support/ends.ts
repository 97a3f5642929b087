/** Connected pairs over all that a transport can connect. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { assert } from "@std/assert";
import type { Endpoint } from "../../src/endpoint.ts";
import type { Conn, Transport } from "../../src/transport/transport.ts";

export const V4: Endpoint = { transport: "tcp", host: "127.0.0.1", port: 0 };
const V6: Endpoint = { transport: "tcp", host: "::1", port: 0 };

/** A kind of endpoint, with a new one at each call. */
export interface Kind {
  readonly name: string;
  make(): Endpoint;
}

/** All kinds of endpoints; to be called while a test file is loaded. */
export function kinds(): [Kind, Kind, Kind, Kind] {
  const folder = mkdtempSync(join(tmpdir(), "tcpmux-ends-"));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const unique = folder.slice(-6);
  let count = 0;
  return [
    { name: "IPv4", make: () => V4 },
    { name: "IPv6", make: () => V6 },
    {
      name: "a Unix socket",
      make: () => ({ transport: "unix", path: `${folder}/${++count}.sock` }),
    },
    {
      name: "an abstract Unix socket",
      make: () => ({
        transport: "unix",
        path: `\0tcpmux-ends-${unique}-${++count}`,
      }),
    },
  ];
}

/**
 * Promises that a transport cannot keep, and why: the key begins a test's
 * name, and goes on with ` over ` and the beginning of a kind's.
 */
export type Gaps = Readonly<Record<string, string>>;

/** The options of a test that may be one of the gaps. */
export function gapOf(
  gaps: Gaps,
  what: string,
  kind: string,
): { skip?: string } {
  const why = Object.entries(gaps).find(([key]) => {
    const [test = "", over = ""] = key.split(" over ");
    return what.startsWith(test) && kind.includes(over);
  });
  return why === undefined ? {} : { skip: why[1] };
}

/** Who connects, and who was connected to. */
export async function pairOf(
  transport: Transport,
  endpoint: Endpoint,
): Promise<[client: Conn, server: Conn]> {
  const listener = await transport.listen(endpoint);
  const [client, server] = await Promise.all([
    transport.connect(listener.endpoint).conn,
    listener.accept(),
  ]);
  listener.close();
  assert(server !== null);
  return [client, server];
}

/** Runs `use` with a pair, and lets go of both ends. */
export async function withPair(
  transport: Transport,
  endpoint: Endpoint,
  use: (client: Conn, server: Conn) => Promise<void>,
): Promise<void> {
  const [client, server] = await pairOf(transport, endpoint);
  try {
    await use(client, server);
  } finally {
    client.abort();
    server.abort();
  }
}
