/** Programs on Node: https://nodejs.org/api/child_process.html */
import { openSync } from "node:fs";
import { netSpawn, netSpawnOn, type Rest } from "../net/process.ts";
import { spawnOnPair } from "../net/process_socket.ts";
import { inheritable } from "../spawning.ts";
import type {
  Command,
  PipedProcess,
  SocketCommand,
  SocketProcess,
} from "../transport.ts";
import { type Making, socketPair } from "./socket_pair.ts";

/** `Transport.spawn` for Node. */
export async function nodeSpawn(
  command: Command,
  rest: Rest,
  making: Making,
): Promise<PipedProcess> {
  const pair = await socketPair(making);
  return pair === undefined
    ? await netSpawn(command, rest)
    : await spawnOnPair(command, pair, (command, fd) =>
      netSpawnOn(command, fd, rest));
}

/** `Transport.spawnOn` for Node: its socket stays open, and is not looked at. */
export async function nodeSpawnOn(
  command: SocketCommand,
  rest: Rest,
): Promise<SocketProcess> {
  const { socket } = command;
  const program = await netSpawnOn(command, socket.fd, rest);
  const reclaim = () => Promise.resolve(socket.resume?.());
  return Object.assign(program, { reclaim });
}

/** The highest descriptor that is sealed: a program's list has no gaps. */
const HIGHEST = 1023;

/**
 * `Transport.sealInherited` for Node. Node by itself makes the lowest
 * descriptors close-on-exec, and has no function for the others. They must stay
 * open here (one may hold a lock), so a program is given /dev/null in place of
 * each.
 */
export class NodeSeal {
  rest: Rest = [];

  seal(): readonly number[] {
    const all = inheritable();
    const sealed = all.filter((fd) => fd <= HIGHEST);
    if (sealed.length > 0) {
      const nothing = openSync("/dev/null", "r+");
      const count = Math.max(...sealed) - 2;
      this.rest = Array.from(
        { length: count },
        (_, index) => sealed.includes(index + 3) ? nothing : "ignore",
      );
    }
    return all.filter((fd) => fd > HIGHEST);
  }
}
