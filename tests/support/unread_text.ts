/**
 * Serves a text to a client that reads nothing, and prints how that ended. A
 * program, for a network with the smallest of buffers.
 */
import { spawn } from "node:child_process";
import process from "node:process";
import { serve } from "../../mod.ts";

const server = await serve({
  server: { listen: "127.0.0.1:7" },
  services: { much: { text: "x".repeat(15_000), idle_timeout: "300ms" } },
}, {
  log() {},
  onRecord({ outcome, reason }) {
    console.log(`${outcome}: ${reason}`);
    client.kill("SIGKILL");
    process.exit();
  },
});
const client = spawn("perl", [
  "-MIO::Socket::INET",
  "-e",
  '$s = IO::Socket::INET->new("127.0.0.1:7"); syswrite $s, "much\\r\\n"; sleep 60',
], { stdio: "ignore" });
client.once("exit", () => server.close(0));
