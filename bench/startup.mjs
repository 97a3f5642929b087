// How long each form takes from its start to its first answer, and the memory
// that it then has.
import { setTimeout as sleep } from "node:timers/promises";
import { loadSession } from "./measure.mjs";
import { relayCommand } from "./peers/limit.mjs";
import { commandOf } from "./peers/tcpmux.mjs";
import { privateMemory } from "./processes.mjs";

/** @param folder where the sources are */
export async function measureStartup(form, world, folder) {
  const { command, address } = form === "c"
    ? await relayCommand(world)
    : await commandOf(form, world);
  const to = ["--to", address, "--service", "text"];
  const session = loadSession(["start", ...to, "--", ...command], folder);
  try {
    const { answered_ms, pid } = await session.next();
    await sleep(300);
    return {
      "start-time": answered_ms,
      "start-memory": privateMemory([pid]) / 1024,
    };
  } finally {
    await session.stop();
  }
}
