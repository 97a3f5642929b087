/** Reloads while connections are opened all the time: none of them notices. */
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { readAll } from "./support/bytes.ts";
import { ask } from "./support/client.ts";
import { type RunningServer, withServer } from "./support/server.ts";
import { sleep, until } from "./support/wait.ts";

/** How many, by the way in which they are asked for: a watch waits for quiet. */
const RELOADS = { SIGHUP: 200, "a watch": 20 };
const CLIENTS = 3;

const SETTINGS = `include = ["services.d/*.toml"]
[server]
watch = WATCH
max_connections_per_source = 0
`;
const ECHO = `[services.echo]\nbuiltin = "echo"\n`;

/** Opens sessions one after the other, each with bytes of its own. */
async function client(
  server: RunningServer,
  id: number,
  isOver: () => boolean,
): Promise<number> {
  let sessions = 0;
  while (!isOver()) {
    const { conn, reply } = await ask(server.port, "echo");
    assertEquals(reply, "+Go");
    const sent = new Uint8Array(1 + (sessions * 7919) % 40_000)
      .map((_, index) => index * id + sessions);
    const writing = conn.write(sent).then(() => conn.closeWrite());
    const got = Buffer.from(await readAll(conn), "latin1");
    await writing;
    conn.close();
    assertEquals(Buffer.compare(got, sent), 0, `${got.length} bytes`);
    sessions++;
    // Else the clients take the time that the reloads need, and go on longer.
    await sleep(3);
  }
  return sessions;
}

for (const way of ["SIGHUP", "a watch"] as const) {
  test(`${RELOADS[way]} reloads by ${way} lose no connection and no byte`, () => {
    const settings = SETTINGS.replace("WATCH", String(way === "a watch"));
    return withServer(settings + ECHO, async (server, folder) => {
      const file = join(folder, "services.toml");
      const more = join(folder, "services.d/more.toml");
      mkdirSync(join(folder, "services.d"));
      let isOver = false;
      const clients = Promise.all(
        Array.from(
          { length: CLIENTS },
          (_, id) => client(server, id + 1, () => isOver),
        ),
      );
      clients.catch(() => isOver = true);
      let seen = 0;
      const reloads = () => {
        for (; seen < server.log.length; seen++) {
          if (server.log[seen]!.message === "reloaded") count++;
        }
        return count;
      };
      let count = 0;
      for (let turn = 1; turn <= RELOADS[way] && !isOver; turn++) {
        const before = reloads();
        // Echo is now first, now last, and in the other file now and then.
        const other = `[services.turn-${turn}]\ntext = "${turn}"\n`;
        const [main, included] = turn % 3 === 0
          ? [other, ECHO]
          : turn % 3 === 1
          ? [ECHO + other, ""]
          : [other + ECHO, ""];
        if (way === "a watch") {
          // A reload between the two would have no echo, or two: so one file.
          writeFileSync(`${file}.new`, settings + ECHO + other);
          renameSync(`${file}.new`, file);
        } else {
          if (included === "") rmSync(more, { force: true });
          else writeFileSync(more, included);
          writeFileSync(file, settings + main);
          server.signal("SIGHUP");
        }
        await until(`reload ${turn}`, () => isOver || reloads() > before);
      }
      isOver = true;
      const sessions = (await clients).reduce((sum, one) => sum + one, 0);
      assert(sessions > CLIENTS, `${sessions} sessions`);
      await until(
        "all are recorded",
        () =>
          server.log.filter(({ outcome }) => outcome === "served").length ===
            sessions,
      );
      assertEquals(
        server.log.filter(({ outcome }) =>
          outcome !== undefined && outcome !== "served"
        ),
        [],
      );
    });
  });
}
