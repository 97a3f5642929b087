/** Standard streams on Node: https://nodejs.org/api/process.html#process-io */
import process from "node:process";
import { NodeStreamsConn } from "../net/node_streams_conn.ts";
import { closeStdout } from "../stdio_conn.ts";
import type { Conn } from "../transport.ts";

export function nodeStdio(): Conn {
  return new NodeStdio(process.stdin, process.stdout);
}

class NodeStdio extends NodeStreamsConn {
  #hasEnded = false;

  override async closeWrite(): Promise<void> {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    await this.write(new Uint8Array(0)).catch(() => {}); // its reader is gone
    closeStdout();
  }

  override close(): void {
    this.drop();
    process.stdin.destroy();
  }
}
