/** Counts the functions that one proxied connection calls. A program. */
import { Session } from "node:inspector/promises";
import { connect as connectSocket, createServer, type Socket } from "node:net";
import process from "node:process";
import { until } from "./wait.ts";

// Before anything of ours is loaded: what is called but seldom is counted
// only if it was compiled for that.
const session = new Session();
session.connect();
await session.post("Profiler.enable");
await session.post("Profiler.startPreciseCoverage", {
  callCount: true,
  detailed: false,
});
const { serve } = await import("../../mod.ts");

const SOURCES = new URL("../../src/", import.meta.url).href;

/** By `node:net`, so that none of our own sources is in it. */
const upstream = createServer({ allowHalfOpen: true }, (socket) => {
  socket.pipe(socket);
}).listen(0, "127.0.0.1");
await new Promise((resolve) => upstream.once("listening", resolve));
const { port: upstreamPort } = upstream.address() as { port: number };

let records = 0;
const server = await serve({
  server: { listen: "127.0.0.1:0" },
  services: { echo: { connect: `127.0.0.1:${upstreamPort}` } },
}, { log() {}, onRecord: () => records++ });
const [endpoint] = server.addresses;
const port = endpoint?.transport === "tcp" ? endpoint.port : 0;

/** Asks for the echo, has an answer, and ends in good order. */
async function connection(): Promise<void> {
  const before = records;
  const socket: Socket = connectSocket({ host: "127.0.0.1", port });
  let got = "";
  socket.on("data", (bytes) => got += String(bytes));
  socket.write("echo\r\n");
  await until("the reply comes", () => got === "+Go\r\n");
  socket.write("hello");
  await until("the answer comes", () => got === "+Go\r\nhello");
  const ended = new Promise((resolve) => socket.once("close", resolve));
  socket.end();
  await ended;
  await until("there is a record", () => records > before);
}

for (let i = 0; i < 50; i++) await connection();

// What was counted so far is forgotten.
await session.post("Profiler.takePreciseCoverage");
await connection();
const { result } = await session.post("Profiler.takePreciseCoverage");
session.disconnect();

const files: Record<string, string[]> = {};
for (const { url, functions } of result) {
  if (!url.startsWith(SOURCES)) continue;
  const called = functions
    // What begins with the file is the module itself.
    .filter(({ ranges: [range] }) => range!.startOffset > 0 && range!.count > 0)
    .map(({ functionName }) => functionName || "(anonymous)")
    // V8 makes one of the fields of a class that have a value.
    .filter((name) => name !== "<instance_members_initializer>");
  if (called.length > 0) files[url.slice(SOURCES.length)] = called;
}
await server.close(0);
upstream.close();
process.send!({ files }, () => process.exit());
