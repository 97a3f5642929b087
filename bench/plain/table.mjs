// What the plain servers have in common: their table, and what is answered to
// a name. A line of the table is NAME connect HOST:PORT, NAME text TEXT or
// NAME exec PROGRAM ARGUMENT….
import { readFileSync } from "node:fs";
import process from "node:process";

const [address, file, stdio] = process.argv.slice(2);

/** HOST and port of what a plain server listens on. */
export const listen = endpoint(address);

/** Whether programs get the socket itself. */
export const handsSocket = stdio === "socket";

const encoder = new TextEncoder();
export const PLUS = encoder.encode("+\r\n");

const services = new Map(
  readFileSync(file, "utf8").split("\n").filter((line) => line !== "")
    .map((line) => {
      const [name, kind, ...words] = line.split(" ");
      return [name, service(kind, words)];
    }),
);
const HELP = {
  text: encoder.encode(
    [...services.keys()].map((name) => `${name}\r\n`).join(""),
  ),
};
const UNKNOWN = { text: encoder.encode("-Service not available\r\n") };

/** `text` is the whole of the answer, its reply line included. */
function service(kind, words) {
  if (kind === "connect") return { upstream: endpoint(words[0]) };
  if (kind === "exec") return { exec: words };
  return { text: encoder.encode(`+\r\n${words.join(" ")}`) };
}

function endpoint(text) {
  const [host, port] = text.split(":");
  return { host, port: Number(port) };
}

const decoder = new TextDecoder();

/** What the first bytes of a connection ask for. */
export function wanted(bytes) {
  const line = decoder.decode(bytes);
  const name = line.slice(0, line.indexOf("\r\n"));
  return services.get(name) ?? (name === "HELP" ? HELP : UNKNOWN);
}
