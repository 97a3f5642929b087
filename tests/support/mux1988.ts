import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort, withDaemon, withFolder } from "./daemon.ts";
import type { ForeignServer, ForeignService } from "./foreign.ts";

/**
 * A TCPMUX server as they were in 1988: a program that something like inetd
 * starts with the connection as its standard input and output, and that
 * becomes the program which a table names. A `+` in the table leaves the
 * reply to the server.
 */
const SCRIPT = `#!/bin/sh
say() { printf '%s\\r\\n' "$1"; }
IFS= read -r line
wanted=$(printf %s "$line" | tr -d '\\r' | tr A-Z a-z)
while read -r name program <&3; do
  case "$wanted:$name" in
    help:*) say "\${name#+}" ;;
    "$wanted:+$wanted") say +Go; exec "$program" 3<&- ;;
    "$wanted:$wanted") exec "$program" 3<&- ;;
  esac
done 3<"\${0%/*}/table"
[ "$wanted" = help ] || say '-Service not available'
`;

/** Runs `use` with it, started by socat. */
export function withMux1988(
  services: readonly ForeignService[],
  use: (server: ForeignServer) => Promise<void>,
): Promise<void> {
  return withFolder(async (folder) => {
    const port = await freePort();
    const script = join(folder, "mux");
    writeFileSync(script, SCRIPT);
    chmodSync(script, 0o755);
    const table = services.map(({ name, program, ownReply }) =>
      `${ownReply ? "" : "+"}${name} ${program}\n`
    );
    writeFileSync(join(folder, "table"), table.join(""));
    const listen = `TCP-LISTEN:${port},bind=127.0.0.1,fork,reuseaddr`;
    await withDaemon(
      ["socat", listen, `EXEC:${script},nofork`],
      port,
      () => use({ host: "127.0.0.1", port, address: `127.0.0.1:${port}` }),
    );
  });
}
