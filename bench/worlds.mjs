// The service tables that the peers are measured with. A service is
// { connect: HOST:PORT }, { text } or { exec: [program, argument…] }.
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { built } from "./build.mjs";
import { FOLDER, freePort, start } from "./processes.mjs";

/** Where receivers count what they get; the load generator reads it. */
export const COUNTER = join(FOLDER, "counter");

const BACKENDS = ["echo", "sink", "source", "duplex", "byte"];

/** Starts the backends; gives their addresses by name, and the process. */
export async function startBackends() {
  const addresses = {};
  for (const name of BACKENDS) {
    addresses[name] = `127.0.0.1:${await freePort()}`;
  }
  const flags = BACKENDS.flatMap((name) => [`--${name}`, addresses[name]]);
  const command = [built("backend"), ...flags, "--counter", COUNTER];
  const program = start(command, { output: "stdout" });
  await new Promise((resolve, reject) => {
    program.child.stdout.once("data", resolve);
    program.ended.then(() =>
      reject(new Error(`the backends: ${program.gone}`))
    );
  });
  return { addresses, pid: program.pid };
}

/**
 * A key on P-256 and its certificate: the paths of the two, and of one file
 * with both, as HAProxy wants them.
 */
function makeCertificate() {
  const [cert, key, both] = ["tls.crt", "tls.key", "tls.pem"]
    .map((name) => join(FOLDER, name));
  const words = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
  const { status, stderr } = spawnSync("openssl", [
    ...["req", "-x509", ...words, "-nodes", "-days", "2", "-subj", "/CN=bench"],
    ...["-keyout", key, "-out", cert],
  ]);
  if (status !== 0) throw new Error(`openssl: ${stderr}`);
  writeFileSync(both, `${readFileSync(cert)}${readFileSync(key)}`);
  return { cert, key, both };
}

/** All worlds by name: { services, maxConnections, handsSocket, tls }. */
export function worldsOf(backends, maxConnections) {
  const relays = Object.fromEntries(
    BACKENDS.map((name) => [name, { connect: backends[name] }]),
  );
  const many = (count) =>
    Object.fromEntries(
      Array.from({ length: count }, (_, i) => [`n${i}`, { text: "ok" }]),
    );
  let certificate;
  const program = built("program");
  const programs = (more) => ({
    hello: { exec: [program, "hello"], ...more },
    zeros: { exec: [program, "source"], ...more },
    swallow: { exec: [program, "sink", COUNTER], ...more },
  });
  return {
    main: {
      maxConnections: 1000,
      services: { text: { text: "ok" }, ...relays },
    },
    // Of servers that have run for minutes, and of all peers alike, this kernel
    // makes some of these figures a twentieth: here they have just started.
    duplex: { maxConnections: 1000, services: relays },
    programs: { maxConnections: 1000, services: programs({}) },
    // The programs get the socket itself, for their errors too: what the others
    // do in any case.
    handed: {
      maxConnections: 1000,
      handsSocket: true,
      services: programs({ stdio: "socket", stderr: "client" }),
    },
    // Without programs, which would each take descriptors from the limit.
    idle: { maxConnections, services: relays },
    help: { maxConnections: 1000, services: many(1000) },
    names1: { maxConnections: 1000, services: many(1) },
    names100: { maxConnections: 1000, services: many(100) },
    get tls() {
      certificate ??= makeCertificate();
      return { maxConnections, services: relays, tls: certificate };
    },
    names10000: { maxConnections: 1000, services: many(10_000) },
  };
}

let files = 0;

/** Writes a configuration and gives its path. */
export function writeConfig(text) {
  const file = join(FOLDER, `config-${files++}`);
  writeFileSync(file, text);
  return file;
}

export const THREADS = Math.min(2, availableParallelism());
