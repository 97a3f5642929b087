// How fast bytes go through a client in a pipe, beside nc.
import { spawn } from "node:child_process";
import { relayCommand } from "./peers/limit.mjs";
import { forgetConnections } from "./metrics.mjs";
import { FORMS } from "./peers/tcpmux.mjs";
import { findProgram, start, untilListening } from "./processes.mjs";

const BYTES = 1_000_000_000;

/** What connects to a service; nc is told by hand what to send first. */
function pipelineOf(id, mode, address) {
  const [host, port] = address.split(":");
  const service = mode === "up" ? "sink" : "source";
  const client = id === "nc"
    ? `nc -N ${host} ${port}`
    : `${formOf(id)} connect ${address} ${service}`;
  const name = id === "nc" ? `printf '${service}\\r\\n';` : "";
  return mode === "up"
    ? `(${name} head -c ${BYTES} /dev/zero) | ${client} | wc -c`
    // Its input stays open until all has come: its end would end the source.
    : `(${name} cat) | ${client} | head -c ${BYTES} | wc -c`;
}

const formOf = (id) =>
  FORMS[`${id}-source`].map((word) =>
    word === "server.ts" ? "client.ts" : `'${word}'`
  ).join(" ");

/**
 * Megabytes per second, the start of the client included.
 *
 * @param folder where its sources are
 */
export async function measureClient(id, mode, world, folder) {
  if (id === "nc" && findProgram("nc") === undefined) {
    throw new Error("nc is not installed");
  }
  const { command, address } = await relayCommand(world);
  const relay = start(command);
  try {
    await untilListening(address, relay);
    forgetConnections();
    const began = performance.now();
    const count = await run(pipelineOf(id, mode, address), folder);
    // The reply line comes out of nc.
    const isRight = mode === "up" ? count < 100 : count === BYTES;
    if (!isRight) throw new Error(`${count} bytes came out of it`);
    return BYTES / 1000 / (performance.now() - began);
  } finally {
    await relay.stop();
  }
}

/** Runs it until it says how many bytes came out. */
function run(pipeline, cwd) {
  return new Promise((resolve, reject) => {
    const shell = spawn("sh", ["-c", pipeline], {
      cwd,
      stdio: ["pipe", "pipe", "ignore"],
    });
    let output = "";
    shell.stdout.on("data", (bytes) => {
      output += bytes;
      if (output.endsWith("\n")) shell.stdin.end();
    });
    shell.stdin.on("error", () => {}); // nobody read it to the end
    shell.once("error", reject);
    shell.once("close", () => resolve(Number(output)));
  });
}
