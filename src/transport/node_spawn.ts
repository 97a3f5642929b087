import type { Socket } from "node:net";
import { startOnPipes, withStdio } from "./child.ts";
import { JoinedConn } from "./joined_conn.ts";
import { NetConn, UNNAMED } from "./net_conn.ts";
import { socketOf, takeHandle } from "./node_handle.ts";
import { NodeReads } from "./node_reads.ts";
import type { Command, Program } from "./transport.ts";

/**
 * `Transport.spawn` for Node. The pipes it gives a program are Unix sockets;
 * as connections of ours they are as fast as any, which its streams are not.
 *
 * @param rest what it gets besides standard input, output and error
 */
export async function nodeSpawn(
  command: Command,
  rest: readonly ("ignore" | number)[],
): Promise<Program> {
  let output: NetConn | undefined;
  let input: NetConn | undefined;
  const child = await startOnPipes(command, rest, (child) => {
    output = ofPipe(child.stdout as Socket);
    input = ofPipe(child.stdin as Socket);
  });
  return withStdio(child, new JoinedConn(output!, input!));
}

function ofPipe(stream: Socket): NetConn {
  const reads = new NodeReads();
  const socket = socketOf(takeHandle(stream), reads);
  return new NetConn(socket, UNNAMED, UNNAMED, reads);
}
