// What the plain relays have in common: their table, and reading a name.
import { readFileSync } from "node:fs";
import process from "node:process";

const [address, file] = process.argv.slice(2);

/** HOST and port of what a plain relay listens on. */
export const listen = endpoint(address);

/** Upstreams by name. */
export const upstreams = new Map(
  readFileSync(file, "utf8").split("\n").map((line) => line.split(" "))
    .filter(([, kind]) => kind === "connect")
    .map(([name, , to]) => [name, endpoint(to)]),
);

function endpoint(text) {
  const [host, port] = text.split(":");
  return { host, port: Number(port) };
}

/** The upstream that the first bytes of a connection ask for. */
export function wanted(bytes) {
  const line = new TextDecoder().decode(bytes);
  return upstreams.get(line.slice(0, line.indexOf("\r\n")));
}

export const PLUS = new TextEncoder().encode("+\r\n");
