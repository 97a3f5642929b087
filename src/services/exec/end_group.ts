import type { Process } from "../../transport/transport.ts";

/**
 * Ends a program's process group, so that nothing of it is left: SIGTERM,
 * and SIGKILL for who is still there after the grace.
 *
 * The group is looked at often: its number can be given to another program
 * only once nobody is in it.
 *
 * @param grace milliseconds
 */
export async function endGroup(program: Process, grace: number): Promise<void> {
  if (!program.signalGroup("SIGTERM")) return;
  const end = performance.now() + grace;
  for (
    let pause = 5;
    performance.now() < end;
    pause = Math.min(200, 2 * pause)
  ) {
    await new Promise((resolve) => setTimeout(resolve, pause));
    if (!program.signalGroup(0)) return;
  }
  program.signalGroup("SIGKILL");
  await program.exited;
}
