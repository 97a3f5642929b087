/** Programs that accept connections, and start another one for each of them. */
import process from "node:process";
import { freePort, withDaemon } from "./daemon.ts";
import { needsInetutils, withInetutilsProgram } from "./inetutils.ts";
import { needs } from "./needs.ts";
import { withXinetdProgram } from "./xinetd.ts";

export interface SuperServer {
  readonly name: string;
  /** The options of a test that takes it. */
  readonly options: { skip?: string };
  /** Whether the program's standard error is the connection as well. */
  readonly joinsStderr: boolean;
  /** Runs `use` with the port where each client gets a program of its own. */
  serve(
    words: readonly string[],
    use: (port: number) => Promise<void>,
  ): Promise<void>;
}

/** What a runtime needs of the environment to find what it has cached. */
const KEPT = ["PATH", "HOME", "DENO_DIR", "XDG_CACHE_HOME"];

export const SUPER_SERVERS: readonly SuperServer[] = [
  {
    name: "xinetd",
    options: needs("xinetd"),
    joinsStderr: true,
    serve: withXinetdProgram,
  },
  {
    name: "inetutils-inetd",
    options: needsInetutils(),
    joinsStderr: true,
    serve: withInetutilsProgram,
  },
  {
    name: "systemd-socket-activate",
    options: needs("systemd-socket-activate"),
    joinsStderr: false,
    serve: async (words, use) => {
      const port = await freePort();
      const kept = KEPT.filter((name) => process.env[name] !== undefined)
        .flatMap((name) => ["-E", `${name}=${process.env[name]}`]);
      const listen = ["-l", `127.0.0.1:${port}`, "--accept", "--inetd"];
      const command = ["systemd-socket-activate", ...listen, ...kept, ...words];
      await withDaemon(command, port, () => use(port));
    },
  },
  {
    name: "tcpserver",
    options: needs("tcpserver"),
    joinsStderr: false,
    serve: async (words, use) => {
      const port = await freePort();
      const command = ["tcpserver", "-HRl0", "127.0.0.1", String(port)];
      await withDaemon([...command, ...words], port, () => use(port));
    },
  },
];
