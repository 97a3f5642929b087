import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { answer, output, passwd, POISON, variables } from "./support/exec.ts";
import { needs, needsRoot } from "./support/needs.ts";
import { isAlive } from "./support/processes.ts";
import { rudeClient } from "./support/rude.ts";
import { programUnderTest, withServer } from "./support/server.ts";
import { until } from "./support/wait.ts";

/** A user of this machine who is in a group besides the own one. */
const memberOfMore = readFileSync("/etc/group", "utf8").split("\n")
  .flatMap((line) => (line.split(":")[3] ?? "").split(","))
  .find((member) => member !== "" && member !== "root") ?? "nobody";

describe("whom a program runs as", needsRoot(), () => {
  const status = `exec = ["cat", "/proc/self/status"]`;
  const table = `
[services.user]
${status}
user = "${memberOfMore}"
[services.both]
${status}
user = "${memberOfMore}"
group = "daemon"
[services.group]
${status}
group = "daemon"
[services.env]
exec = ["env", "-0"]
user = "${memberOfMore}"
[services.killed]
exec = ["sh", "-c", "trap '' TERM; echo $$; while :; do sleep 1; done"]
user = "nobody"
kill_grace = "200ms"
`;
  // The server's own supplementary groups must not reach anybody.
  const program = ["setpriv", "--groups=4,24,27", "--", ...programUnderTest()];

  /** The ids of one service: all four of the user, of the group, and groups. */
  async function ids(port: number, service: string) {
    const lines = (await answer(port, service)).split("\n");
    const values = (key: string) =>
      lines.find((line) => line.startsWith(`${key}:`))!
        .slice(key.length + 1).trim().split(/\s+/).filter((id) => id !== "");
    return {
      uid: values("Uid"),
      gid: values("Gid"),
      groups: values("Groups").map(Number).sort((a, b) => a - b),
      capabilities: values("CapEff"),
    };
  }

  const four = (id: string) => [id, id, id, id];
  const numbers = (...ids: string[]) =>
    [...new Set(ids.map(Number))].sort((a, b) => a - b);

  test(
    "user, group and supplementary groups are the user's alone",
    needs("setpriv"),
    () =>
      withServer(table, async ({ port }) => {
        const uid = await output("id", "-u", memberOfMore);
        const gid = await output("id", "-g", memberOfMore);
        const all = (await output("id", "-G", memberOfMore)).split(" ");
        const entry = await output("getent", "group", "daemon");
        const daemon = entry.split(":")[2]!;
        assertEquals(await ids(port, "user"), {
          uid: four(uid),
          gid: four(gid),
          groups: numbers(...all),
          capabilities: ["0000000000000000"],
        });
        const both = await ids(port, "both");
        assertEquals([both.uid, both.gid], [four(uid), four(daemon)]);
        assertEquals(
          both.groups.filter((id) => !numbers(...all, daemon).includes(id)),
          [],
        );
        const group = await ids(port, "group");
        assertEquals(
          [group.uid, group.gid, group.groups],
          [four("0"), four(daemon), []],
        );
      }, { program }),
  );

  test(
    "the environment names that user",
    needs("setpriv"),
    () =>
      withServer(table, async ({ port }) => {
        const found = variables(await answer(port, "env"));
        assertEquals(
          [found["USER"], found["HOME"], found["SHELL"]],
          await passwd(memberOfMore),
        );
        assertEquals(found["LOGNAME"], memberOfMore);
      }, { env: POISON }),
  );

  test(
    "it is ended as any other program is",
    needs("setpriv"),
    () =>
      withServer(table, async (server) => {
        const client = await rudeClient(server.port, "killed\r\n", {
          lines: 2,
        });
        const pid = Number(client.got.split("\n")[1]);
        assert(isAlive(pid));
        await client.reset();
        await until("it is gone", () => !isAlive(pid));
      }),
  );
});
