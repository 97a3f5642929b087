import type { RunningServer } from "../tests/support/server.ts";
import { sleep, until } from "../tests/support/wait.ts";
import { ask } from "./link.ts";
import { Random } from "../tests/support/random.ts";
import { type Ports, tableOf, WRONG } from "./table.ts";
import { assertIs, type World } from "./world.ts";

/** Milliseconds: the machine may have much else to do. */
const PATIENCE = 60_000;

interface Reloading {
  readonly ports: Ports;
  readonly write: (table: string) => void;
  /** Whether to go on. */
  readonly until: () => boolean;
  /** Seconds from one to the next. */
  readonly every: number;
}

/** Gives the server a new table again and again, and now and then a wrong one. */
export async function reloading(
  world: World,
  server: RunningServer,
  options: Reloading,
): Promise<void> {
  const { watch } = world;
  try {
    for (let turn = 1; options.until(); turn++) {
      await sleep(options.every * 1000);
      if (turn % 5 === 0) {
        options.write(WRONG);
        const known = watch.refusedReloads;
        server.signal("SIGHUP");
        await until(
          "a wrong table is refused",
          () => watch.refusedReloads > known,
          PATIENCE,
        );
      } else await next(world, server, options, turn % 7 === 0);
    }
    // What follows a pause has all the room.
    await next(world, server, options, false);
  } catch (error) {
    world.fault(`reload: ${error instanceof Error ? error.stack : error}`);
  }
}

async function next(
  world: World,
  server: RunningServer,
  { ports, write }: Reloading,
  tight: boolean,
): Promise<void> {
  const before = world.generation;
  const known = world.watch.reloads;
  const number = before.number + 1;
  write(tableOf({ number, tight }, ports));
  world.generation = { number, tight: tight || before.tight };
  server.signal("SIGHUP");
  await until(
    "it has reloaded",
    () => world.watch.reloads > known,
    PATIENCE,
  );
  world.reloaded(before);
  world.generation = { number, tight };
  if (tight) return;
  const link = await ask(world.port, "generation", new Random(number));
  world.watch.began(link.port);
  const text = `${link.reply} ${await link.readAll()}`;
  link.conn.close();
  // Those who came while there was no room may still be leaving.
  if (before.tight && link.reply.startsWith("-Server busy")) return;
  assertIs(text, `+Go generation ${number}`, "after a reload");
}
