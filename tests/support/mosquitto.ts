import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort, withDaemon, withFolder } from "./daemon.ts";

/** Runs `use` with a broker of MQTT that lets everybody in. */
export function withMosquitto(
  use: (port: number) => Promise<void>,
): Promise<void> {
  return withFolder(async (folder) => {
    const port = await freePort();
    const config = join(folder, "mosquitto.conf");
    writeFileSync(
      config,
      `listener ${port} 127.0.0.1\nallow_anonymous true\n`,
    );
    await withDaemon(["mosquitto", "-c", config], port, () => use(port));
  });
}
