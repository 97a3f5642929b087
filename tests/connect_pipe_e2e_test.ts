import { createHash, randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { assertEquals } from "@std/assert";
import { ClientProcess } from "./support/client_process.ts";
import { withFolder } from "./support/daemon.ts";
import { needs } from "./support/needs.ts";
import { run } from "./support/run.ts";
import { programUnderTest, withServer } from "./support/server.ts";

const TABLE = `
[services.echo]
builtin = "echo"
`;

const MEGABYTES = 12;
const data = randomBytes(MEGABYTES * 1_000_000);
const digest = createHash("sha256").update(data).digest("hex");

/** Runs a script in which `$data` is a file and `"$@"` the client. */
function runScript(port: number, script: string): Promise<string> {
  return withFolder(async (folder) => {
    writeFileSync(join(folder, "data"), data);
    const words = ["connect", `127.0.0.1:${port}`, "echo"];
    const { stdout } = await run([
      ...["bash", "-c", `data=$1; shift; ${script}`],
      ...["bash", join(folder, "data"), ...programUnderTest(), ...words],
    ], { timeout: 60_000 });
    return String(stdout).trim();
  });
}

/** How a shell gives the client, `"$@"`, its input. */
const INPUTS: Record<string, string> = {
  "a file": '"$@" < "$data"',
  "a pipe that is always full": 'cat "$data" | "$@"',
  "a pipe that pauses behind a burst":
    '(head -c 5000001 "$data"; sleep 0.3; tail -c +5000002 "$data") | "$@"',
  "a pipe that gives little at a time behind a burst":
    '(head -c 11000000 "$data"; tail -c +11000001 "$data" |' +
    ' dd bs=777 status=none) | "$@"',
};

describe("tcpmux connect in a pipe", needs("bash"), () => {
  for (const [what, script] of Object.entries(INPUTS)) {
    test(`carries all of ${what}`, () =>
      withServer(TABLE, async ({ port }) => {
        const out = await runScript(port, `${script} | sha256sum`);
        assertEquals(out.split(" ")[0], digest);
      }));
  }

  test("fails if its input is a directory", () =>
    withServer(TABLE, async ({ port }) => {
      const words = ["connect", `127.0.0.1:${port}`, "echo"];
      const { code, stdout, stderr } = await run([
        ...["bash", "-c", '"$@" < /', "bash", ...programUnderTest(), ...words],
      ], { timeout: 60_000 });
      assertEquals([code, String(stdout)], [74, ""]);
      assertEquals(stderr, "tcpmux: cannot read: it is a directory (EISDIR)\n");
    }));

  test("writes all to a reader that is slow", () =>
    withServer(TABLE, async ({ port }) => {
      const script = 'cat "$data" | "$@" | (sleep 1; sha256sum)';
      const out = await runScript(port, script);
      assertEquals(out.split(" ")[0], digest);
    }));

  test("ends at SIGINT while it waits for more behind a burst", () =>
    withServer(TABLE, async (server) => {
      const address = `127.0.0.1:${server.port}`;
      const client = new ClientProcess(["connect", address, "echo"]);
      client.type("x".repeat(5_000_000));
      client.type("end");
      await client.says("end");
      client.signal("SIGINT");
      assertEquals(await client.exited, 130);
      assertEquals(client.err, "");
    }));

  test("ends with the service while it waits for more behind a burst", () =>
    withServer(
      '[services.some]\nexec = ["head", "-c", "4000000"]\n',
      async ({ port }) => {
        const client = new ClientProcess([
          "connect",
          `127.0.0.1:${port}`,
          "some",
        ]);
        client.type("x".repeat(4_000_000));
        assertEquals(await client.exited, 0, client.err);
        assertEquals(client.out.length, 4_000_000);
      },
    ));
});
