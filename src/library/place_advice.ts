/** Advice on places that a server could not take just now. */
import { access, constants } from "node:fs/promises";
import { dirname } from "node:path";
import {
  type Endpoint,
  formatEndpoint,
  TCPMUX_PORT,
  type UnixEndpoint,
} from "../endpoint.ts";
import { codeOf, messageOf } from "../errors.ts";
import type { KeyPath, Problems } from "../table/problem.ts";
import type { Table } from "../table/table.ts";
import { fromSystem } from "../transport/errno.ts";
import { permitted } from "../transport/permission.ts";
import type { Transport } from "../transport/transport.ts";

/** Where a server listens whose table does not say it. */
const DEFAULT_ADDRESS: Endpoint = {
  transport: "tcp",
  host: "::",
  port: TCPMUX_PORT,
};

const IN_USE =
  "is in use (stop the program that listens there, unless it is the " +
  "server of this table)";

const NO_FOLDER = "the server would not start; make its folder, or give it " +
  "to the server's user";

/** Milliseconds for one who listens on a Unix socket to accept. */
const LONGEST_CONNECT = 1000;

const NOT_PERMITTED = "may not be listened on by who runs this (the server's " +
  "user may: root, or one with CAP_NET_BIND_SERVICE; or take a port from 1024 " +
  "on)";

/** Advises of addresses at which the server could not listen just now. */
export async function adviseListeners(
  { listeners, server: { admin, control } }: Table,
  transport: Transport,
  advice: Problems,
): Promise<void> {
  if (!permitted("net")) return;
  const add = async (key: KeyPath, endpoint: Endpoint, hasOther = false) => {
    const why = await hindrance(endpoint, transport);
    if (why === undefined || hasOther && why === NOT_PERMITTED) return;
    advice.add(key, `${formatEndpoint(endpoint)} ${why}`);
  };
  for (const [index, { endpoint: wanted }] of listeners.entries()) {
    const endpoint = wanted ?? DEFAULT_ADDRESS; // which has port 1078 besides
    if (endpoint.transport === "systemd") continue; // it is for systemd to open
    await add(["server", "listen", index], endpoint, wanted === undefined);
  }
  if (admin !== undefined) await add(["server", "admin"], admin);
  if (!control) return;
  await add(["server", "control"], { transport: "unix", path: control });
}

/** Advises of a file for the log that could not be written to just now. */
export async function adviseLog(
  { server: { log: { to } } }: Table,
  advice: Problems,
): Promise<void> {
  if (to.kind !== "file" || !permitted("read")) return;
  try {
    await access(to.path, constants.W_OK).catch(async (error) => {
      if (error.code !== "ENOENT") throw error;
      await mayMakeIn(dirname(to.path));
    });
  } catch (error) {
    const what = `cannot write to ${to.path}`;
    const why = messageOf(fromSystem(error, what));
    advice.add(["server", "log", "to"], `${why} (${NO_FOLDER})`);
  }
}

/** @throws where the folder is not there, or no file can be made in it */
async function mayMakeIn(folder: string): Promise<void> {
  await access(folder, constants.W_OK | constants.X_OK);
}

/** Why nobody can listen there; undefined where the socket was closed again. */
async function hindrance(
  endpoint: Endpoint,
  transport: Transport,
): Promise<string | undefined> {
  if (endpoint.transport === "unix") {
    return await hindranceAt(endpoint, transport);
  }
  try {
    (await transport.listen(endpoint)).close();
  } catch (error) {
    switch (codeOf(error)) {
      case "address_in_use":
        return IN_USE;
      case "permission_denied":
        return NOT_PERMITTED;
      case "address_not_available":
        return "is no address of this machine just now";
      case "host_not_found":
        return "has no address just now";
    }
  }
}

/** The same of a Unix socket, where listening would make a file. */
async function hindranceAt(
  endpoint: UnixEndpoint,
  transport: Transport,
): Promise<string | undefined> {
  const { path } = endpoint;
  try {
    const timeout = LONGEST_CONNECT;
    (await transport.connect(endpoint, { timeout }).conn).close();
    return IN_USE;
  } catch (error) {
    switch (codeOf(error)) {
      case "connection_reset": // who accepts, and closes at once, listens too
      case "timed_out": // nobody accepts, and the queue is full
        return IN_USE;
      case "not_found":
        if (path.startsWith("\0") || !permitted("read")) return undefined;
        return await mayMakeIn(dirname(path)).then(
          () => undefined,
          (error) =>
            `${messageOf(fromSystem(error, "cannot be made"))} (${NO_FOLDER})`,
        );
    }
  }
}
