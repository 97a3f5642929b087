import { join } from "node:path";
import { freePort, withDaemon, withFolder } from "./daemon.ts";

export interface Redis {
  readonly port: number;
  /** The path of its Unix socket. */
  readonly socket: string;
}

/** Runs `use` with a Redis that keeps nothing. */
export function withRedis(use: (redis: Redis) => Promise<void>): Promise<void> {
  return withFolder(async (folder) => {
    const port = await freePort();
    const socket = join(folder, "redis.sock");
    const command = ["redis-server", "--bind", "127.0.0.1"];
    command.push("--port", String(port), "--unixsocket", socket);
    command.push("--dir", folder, "--save", "", "--appendonly", "no");
    await withDaemon(command, port, () => use({ port, socket }));
  });
}
