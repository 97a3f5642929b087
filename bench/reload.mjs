// How long a server takes from the signal HUP to the line that says it serves
// the table as it is now.
import { commandOf } from "./peers/tcpmux.mjs";
import { start, untilListening } from "./processes.mjs";

const PATIENCE = 20_000;

export async function measureReload(form, world, folder) {
  const { command, address } = await commandOf(form, world);
  const program = start(command, { output: "stderr", cwd: folder });
  try {
    let log = "";
    let wake = () => {};
    program.child.stderr.on("data", (bytes) => {
      log += bytes;
      wake();
    });
    await untilListening(address, program);
    log = "";
    const began = performance.now();
    process.kill(program.pid, "SIGHUP");
    const late = setTimeout(() => wake(), PATIENCE);
    while (!/reloaded/.test(log) && performance.now() < began + PATIENCE) {
      if (program.gone) throw new Error(`the server ${program.gone}`);
      await new Promise((resolve) => wake = resolve);
    }
    clearTimeout(late);
    if (!/reloaded/.test(log)) throw new Error(`no "reloaded" in: ${log}`);
    return performance.now() - began;
  } finally {
    await program.stop();
  }
}
