/**
 * Connects to ten names that no name server answers for, and then to some that
 * are known; prints what came of those while the ten were still looked up. A
 * program, for the network of silent_names.sh.
 */
import { createServer } from "node:net";
import process from "node:process";
import { dial } from "../../src/dial.ts";
import { codeOf } from "../../src/errors.ts";
import { pickTransport } from "../../src/transport/pick.ts";

const transport = await pickTransport();
const server = createServer((socket) => socket.end());
server.listen(0, "127.0.0.1");
await new Promise((resolve) => server.once("listening", resolve));
const { port } = server.address() as { port: number };

async function reached(host: string): Promise<string> {
  const to = { transport: "tcp", host, port } as const;
  try {
    (await dial(transport, to, { timeout: 60_000 }).conn).close();
    return `${host} reached`;
  } catch (error) {
    return `${host} ${codeOf(error)}`;
  }
}

const results: string[] = [];
const note = (result: string) => results.push(result);
for (let i = 0; i < 10; i++) reached(`${i}.slow.test`).then(note);
const known = ["localhost", "here.test", "127.0.0.1", "fast.test", "FAST.test"];
await Promise.all(known.map((host) => reached(host).then(note)));
console.log(JSON.stringify(results.toSorted()));
process.exit();
