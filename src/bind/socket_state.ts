/** What Linux says of a socket that this process was started with. */
import { readFile, readlink } from "node:fs/promises";
import { type Endpoint, tcpEnd } from "../endpoint.ts";

/** What a descriptor leads to; undefined where nobody can tell. */
export type SocketState =
  | { readonly kind: "listener"; readonly endpoint: Endpoint }
  | { readonly kind: "other"; readonly what: string }
  | undefined;

/** The state of a TCP socket that listens: `TCP_LISTEN`, in hexadecimal. */
const LISTEN = "0A";

/** The flag of a Unix socket that listens: `__SO_ACCEPTCON`. */
const ACCEPTS = "00010000";

const STREAM = "0001";

/** A socket of another network namespace is in none of these lists. */
export async function stateOf(fd: number): Promise<SocketState> {
  const link = await readlink(`/proc/self/fd/${fd}`).catch((error) =>
    (error as { code?: string }).code === "ENOENT" ? "nothing" : ""
  );
  const inode = /^socket:\[(\d+)\]$/.exec(link)?.[1];
  if (inode === undefined) {
    return link === "" ? undefined : { kind: "other", what: `it is ${link}` };
  }
  return await tcpState("tcp", inode) ?? await tcpState("tcp6", inode) ??
    await unixState(inode) ?? await datagramState(inode);
}

/** The lines of a list of sockets, each as its words. */
async function listOf(name: string): Promise<string[][]> {
  const text = await readFile(`/proc/self/net/${name}`, "utf8").catch(() => "");
  return text.split("\n").map((line) => line.trim().split(/\s+/));
}

/** sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode */
async function tcpState(list: string, inode: string): Promise<SocketState> {
  const line = (await listOf(list)).find((words) => words[9] === inode);
  if (line === undefined) return undefined;
  return line[3] === LISTEN
    ? { kind: "listener", endpoint: endpointOf(line[1]!) }
    : { kind: "other", what: "it is a TCP socket that does not listen" };
}

/** Num RefCount Protocol Flags Type St Inode Path */
async function unixState(inode: string): Promise<SocketState> {
  const line = (await listOf("unix")).find((words) => words[6] === inode);
  if (line === undefined) return undefined;
  const [, , , flags, type, , , ...path] = line;
  if (type !== STREAM) {
    return { kind: "other", what: "it is a Unix socket, but no stream" };
  }
  return flags === ACCEPTS
    ? {
      kind: "listener",
      endpoint: { transport: "unix", path: path.join(" ").replace(/^@/, "\0") },
    }
    : { kind: "other", what: "it is a Unix socket that does not listen" };
}

async function datagramState(inode: string): Promise<SocketState> {
  for (const list of ["udp", "udp6"]) {
    const isIt = (await listOf(list)).some((words) => words[9] === inode);
    if (isIt) return { kind: "other", what: "it is a datagram socket (UDP)" };
  }
}

/** An address and a port as the list has them: 0100007F:0016. */
function endpointOf(text: string): Endpoint {
  const [address = "", port = ""] = text.split(":");
  const bytes = (address.match(/.{8}/g) ?? []).flatMap(bytesOf);
  const host = bytes.length === 4
    ? bytes.join(".")
    : new URL(`http://[${groupsOf(bytes)}]`).hostname.slice(1, -1);
  return tcpEnd(host, parseInt(port, 16));
}

/** The bytes of a number that is shown in the order of this machine. */
function bytesOf(word: string): number[] {
  const number = new Uint32Array([parseInt(word, 16)]);
  return [...new Uint8Array(number.buffer)];
}

function groupsOf(bytes: readonly number[]): string {
  return Array.from(
    { length: 8 },
    (_, at) => (bytes[2 * at]! * 256 + bytes[2 * at + 1]!).toString(16),
  ).join(":");
}
