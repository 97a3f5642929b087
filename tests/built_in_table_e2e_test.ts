/** Who can reach a server that was started without a table of one's own. */
import { spawn } from "node:child_process";
import { realpathSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { runCommand } from "./support/command.ts";
import { withFolder } from "./support/daemon.ts";
import { inSmallNetwork, needsNamespace } from "./support/namespace.ts";
import { programUnderTest, RunningServer } from "./support/server.ts";
import { unprivileged } from "./support/unprivileged.ts";

const NO_IPV6 = [
  "sh",
  "-c",
  'echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6 && exec "$@"',
  "sh",
];

/** Starts it in a network of its own; gives what it logs until it serves. */
async function startedWith(
  before: readonly string[],
  flags: readonly string[],
): Promise<RunningServer["log"]> {
  const [enter, ...words] = [
    ...inSmallNetwork("40000 40003"),
    ...before,
    ...programUnderTest(),
    "--log-format=json",
    ...flags,
  ];
  const server = new RunningServer(
    spawn(enter!, words, { stdio: ["ignore", "ignore", "pipe"] }),
  );
  try {
    await server.serving();
  } finally {
    await server.stop();
  }
  return server.log;
}

/** Where it listens, and how to let others in, if that is said. */
function found(log: RunningServer["log"]): unknown[] {
  return [
    log.find(({ message }) => message === "serving")?.addresses,
    log.find(({ to_open }) => to_open !== undefined)?.to_open,
  ];
}

describe("without a table of one's own", needsNamespace(), () => {
  test("only this machine can connect, and how others could is said", async () => {
    const log = await startedWith([], []);
    const [addresses, toOpen] = found(log);
    assertEquals(addresses, "127.0.0.1:1 [::1]:1");
    assertMatch(String(toOpen), /--listen '\[::\]:1'/);
    assert(!log.some(({ level }) => level === "warn"));
  });

  test("it says how port 1 is permitted, to what file", async () => {
    const { code, err } = await runCommand([
      ...inSmallNetwork("40000 40003"),
      ...unprivileged(),
      ...programUnderTest(),
      "--listen=127.0.0.1:1",
    ]);
    assertEquals(code, 77);
    const file = realpathSync(programUnderTest()[0]!);
    const all = /^(node|bun|deno)/.test(basename(file))
      ? " (which gives it to all scripts that this file runs)"
      : "";
    assert(err.includes(`cap_net_bind_service=+ep ${file}${all}, or`), err);
  });

  test("it takes port 1078 where port 1 is not permitted", async () => {
    const [addresses] = found(await startedWith(unprivileged(), []));
    assertEquals(addresses, "127.0.0.1:1078 [::1]:1078");
  });

  test("it is IPv4 alone where there is no IPv6", async () => {
    const [addresses] = found(await startedWith(NO_IPV6, []));
    assertEquals(addresses, "127.0.0.1:1");
  });

  test("--listen opens it", async () => {
    const log = await startedWith([], ["--listen=[::]:7"]);
    assertMatch(String(found(log)), /^\[::\]:7\b/);
    assert(!log.some(({ to_open }) => to_open !== undefined));
  });
});

test(
  "a table of one's own is for all, where it does not say where",
  needsNamespace(),
  () =>
    withFolder(async (folder) => {
      const table = join(folder, "own.toml");
      writeFileSync(table, '[services.hello]\ntext = "hello"\n');
      const log = await startedWith([], [`--config=${table}`]);
      assertMatch(String(found(log)), /^\[::\]:1\b/);
      assert(!log.some(({ to_open }) => to_open !== undefined));
    }),
);
