/** What an address of the table stands for, and how a reload finds it again. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import {
  formatEndpoint,
  list,
  serve,
  type Server,
  TcpmuxError,
} from "../mod.ts";
import { type Result, runCommand } from "./support/command.ts";
import { freePort } from "./support/daemon.ts";
import { needsNamespace } from "./support/namespace.ts";
import { needs } from "./support/needs.ts";
import { rejectsWith } from "./support/rejects.ts";
import { onThisRuntime } from "./support/runtime.ts";

const services = { here: { text: "x" } };

/** Serves in a network of its own, where a shell command was run before. */
function servedAfter(command: string, ...words: string[]): Promise<Result> {
  return runCommand([
    ...["unshare", "--net", "--", "sh", "-c"],
    `ip link set lo up && ${command} && exec "$@"`,
    ...["sh", ...onThisRuntime("serve_at.ts"), ...words],
  ]);
}

describe("an address to listen on", needsNamespace(), () => {
  test("[::] takes IPv4 too, whatever the system's default is", async () => {
    const { out, err } = await servedAfter(
      "echo 1 > /proc/sys/net/ipv6/bindv6only",
      ...["[::]:7", "127.0.0.1:7", "[::1]:7"],
    );
    const [, answers] = JSON.parse(out || `[[], "${err}"]`);
    assertEquals(answers, ["here", "here"]);
  });

  test("[::] is IPv4 alone by default where there is no IPv6", async () => {
    const { out, err } = await servedAfter(
      "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6",
      ...["0.0.0.0:7", "127.0.0.1:7"],
    );
    assertEquals(out.trim(), '[["0.0.0.0:7"],["here"]]', err);
  });

  for (
    const [missing, family, addresses, expected] of [
      ["IPv6 in the kernel", "10", ["", "127.0.0.1:1"], ["0.0.0.0:1"]],
      ["a view of interfaces", "16", ["[::]:1", "[fe80::1%lo]:1"], ["[::]:1"]],
    ] as const
  ) {
    test(`serves without ${missing}`, needs("perl"), async () => {
      const sandbox = fileURLToPath(
        new URL("support/without_families.pl", import.meta.url),
      );
      const { out, err } = await servedAfter(
        `ip addr add fe80::1/64 dev lo nodad && set -- perl ${sandbox} ` +
          `${family} "$@"`,
        ...addresses,
      );
      assertEquals(out.trim(), JSON.stringify([expected, ["here"]]), err);
    });
  }

  test(
    "a host name is all of its addresses",
    needs("dnsmasq", "mount", "perl", "ss"),
    async () => {
      const network = new URL("support/silent_names.sh", import.meta.url);
      const { out, err } = await runCommand([
        ...["unshare", "--net", "--mount", "--", "sh"],
        ...[fileURLToPath(network), ...onThisRuntime("serve_at.ts")],
        ...["here.test:7", "127.0.0.1:7", "[::1]:7"],
      ]);
      const at = '["127.0.0.1:7","[::1]:7"]';
      assertEquals(out.trim(), `[${at},["here","here"]]`, err);
    },
  );
});

function addresses(server: Server): string[] {
  return server.addresses.map(formatEndpoint).toSorted();
}

interface Reloading {
  readonly port: number;
  readonly server: Server;
  /** What has been logged since the last call. */
  logged(): string[];
  /** Reloads with these hosts, at the same port. */
  reload(...hosts: string[]): Promise<void>;
}

/** Runs `use` with a server that listens at a host. */
async function reloading(
  host: string,
  use: (running: Reloading) => Promise<void>,
): Promise<void> {
  const port = await freePort();
  const lines: string[] = [];
  const tableAt = (hosts: readonly string[]) => ({
    server: { listen: hosts.map((host) => `${host}:${port}`) },
    services,
  });
  const log = (_: unknown, message: string) => lines.push(message);
  const server = await serve(tableAt([host]), { log });
  try {
    await use({
      port,
      server,
      logged: () => lines.splice(0),
      reload: (...hosts) => server.reload(tableAt(hosts)),
    });
  } finally {
    await server.close(0);
  }
}

describe("a reload", () => {
  const spellings = [
    ["[::1]", "[0:0:0:0:0:0:0:1]"],
    ["[::]", "[0::0]"],
    ["127.0.0.1", "[::ffff:7f00:1]"],
  ];
  for (const [one, other] of spellings) {
    test(`finds ${one} in ${other}, and keeps its listener`, () =>
      reloading(one!, async ({ reload, logged, server }) => {
        const before = addresses(server);
        logged();
        await reload(other!);
        assertEquals([addresses(server), logged()], [before, []]);
      }));
  }

  test("finds an address in its name, and keeps its listener", () =>
    reloading("127.0.0.1", async ({ reload, logged, server, port }) => {
      logged();
      await reload("localhost");
      const lines = logged(); // a second one where the name has ::1 too
      assert(!lines.includes("no longer listening"), lines.join());
      assert(addresses(server).includes(`127.0.0.1:${port}`));
      await reload("127.0.0.1");
      assertEquals(addresses(server), [`127.0.0.1:${port}`]);
    }));

  test("adds an address beside one that stays", () =>
    reloading("127.0.0.1", async ({ reload, server, port }) => {
      await reload("127.0.0.1", "127.0.0.2");
      const both = [`127.0.0.1:${port}`, `127.0.0.2:${port}`];
      assertEquals(addresses(server), both);
      for (const at of both) assertEquals(await list(at), ["here"]);
    }));

  test("to a wider address says who holds the port; the old table stays", () =>
    reloading("127.0.0.1", async ({ reload, server, port }) => {
      const { message } = await rejectsWith(
        "address_in_use",
        () => reload("[::]"),
      );
      const own = `this server already listens on 127.0.0.1:${port}`;
      assertStringIncludes(message, own);
      assertEquals(addresses(server), [`127.0.0.1:${port}`]);
      assertEquals(await list(`127.0.0.1:${port}`), ["here"]);
    }));
});

describe("a Unix socket to listen on", () => {
  test("in a folder that is not there says which folder", async () => {
    const folder = mkdtempSync(join(tmpdir(), "tcpmux-test-"));
    rmSync(folder, { recursive: true });
    const listen = `unix:${folder}/s`;
    const error = await assertRejects(
      () => serve({ server: { listen }, services }, { log() {} }),
      TcpmuxError,
    );
    assertEquals(error.code, "not_found");
    assertEquals(
      error.message.replace(" (ENOENT)", ""),
      `cannot listen on ${listen}: no such file (the folder ${folder} is not ` +
        "there: make it first)",
    );
  });
});
