/**
 * Connects to a port that nobody listens on and that the system may choose for
 * clients; prints what has come of it. A program, for a network of its own.
 */
import process from "node:process";
import { dial } from "../../src/dial.ts";
import { codeOf } from "../../src/errors.ts";
import { pickTransport } from "../../src/transport/pick.ts";

const [port, times] = process.argv.slice(2).map(Number);
const transport = await pickTransport();
const counts: Record<string, number> = {};
for (let i = 0; i < times!; i++) {
  const to = { transport: "tcp", host: "127.0.0.1", port: port! } as const;
  let result = "connected";
  try {
    (await dial(transport, to, { timeout: 5000 }).conn).abort();
  } catch (error) {
    result = codeOf(error);
  }
  counts[result] = (counts[result] ?? 0) + 1;
}
console.log(JSON.stringify(counts));
