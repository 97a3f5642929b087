import { freePort, withDaemon } from "./daemon.ts";

/** The service of {@linkcode withSServer}: read backwards it is a `+`. */
export const REVERSED = "og+";

/**
 * Runs `use` with the port of an openssl s_server(1) that sends each line back
 * reversed, so that the reply to {@linkcode REVERSED} is `+go`.
 *
 * @param words its options
 */
export async function withSServer(
  words: readonly string[],
  use: (port: number) => Promise<void>,
): Promise<void> {
  const port = await freePort();
  const at = `127.0.0.1:${port}`;
  const command = ["openssl", "s_server", "-rev", "-accept", at, ...words];
  await withDaemon(command, port, () => use(port));
}
