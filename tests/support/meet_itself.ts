/**
 * Connects to addresses whose port nobody listens on and the system may choose
 * for clients; prints what has come of it. A program, for a network of its own.
 */
import process from "node:process";
import { dial } from "../../src/dial.ts";
import type { Endpoint } from "../../src/endpoint.ts";
import { parseEndpoint } from "../../src/parse_endpoint.ts";
import { codeOf } from "../../src/errors.ts";
import { pickTransport } from "../../src/transport/pick.ts";

const [times, ...addresses] = process.argv.slice(2);
const transport = await pickTransport();
const counts: Record<string, number> = {};
for (const to of addresses.map((text) => parseEndpoint(text))) {
  for (let i = 0; i < Number(times); i++) await note(to);
}
console.log(JSON.stringify(counts));
process.exit();

async function note(to: Endpoint): Promise<void> {
  let result = "connected";
  try {
    (await dial(transport, to, { timeout: 5000 }).conn).abort();
  } catch (error) {
    result = codeOf(error);
  }
  counts[result] = (counts[result] ?? 0) + 1;
}
