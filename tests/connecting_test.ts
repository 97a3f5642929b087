/** Answers of the system that are no connection, though they look like one. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { assert, assertEquals } from "@std/assert";
import { dial } from "../src/dial.ts";
import type { Endpoint } from "../src/endpoint.ts";
import { pickTransport } from "../src/transport/pick.ts";
import { answersAtOnce } from "./support/answers_at_once.ts";
import { readAll } from "./support/bytes.ts";
import { runCommand } from "./support/command.ts";
import { fullQueue } from "./support/full_queue.ts";
import { inSmallNetwork, needsNamespace } from "./support/namespace.ts";
import { needs } from "./support/needs.ts";
import { rejectsWith } from "./support/rejects.ts";
import { onThisRuntime } from "./support/runtime.ts";
import { sleep } from "./support/wait.ts";

const transport = await pickTransport();

describe(
  "a port that the system may choose for clients",
  needsNamespace(),
  () => {
    test("refuses when nobody listens, and never meets itself", async () => {
      const { out, err } = await runCommand([
        ...inSmallNetwork("40000 40015"),
        ...onThisRuntime("meet_itself.ts"),
        "400",
        "127.0.0.1:40004",
      ]);
      assertEquals(out.trim(), '{"connection_refused":400}', err);
    });

    test("is the same however its address is written", async () => {
      const addresses = [
        "0.0.0.0:40004",
        "[::]:40004",
        "[0:0:0:0:0:0:0:1]:40004",
        "[::ffff:127.0.0.1]:40004",
        "[::ffff:7f00:1]:40004",
        "[fe80::1%1]:40004",
      ];
      const addressed = "ip link set lo up && " +
        'ip addr add fe80::1/64 dev lo nodad && exec "$@"';
      const { out, err } = await runCommand([
        ...inSmallNetwork("40000 40015"),
        ...["sh", "-c", addressed, "sh"],
        ...onThisRuntime("meet_itself.ts"),
        "200",
        ...addresses,
      ]);
      assertEquals(out.trim(), '{"connection_refused":1200}', err);
    });
  },
);

describe("an address that a route leads nowhere", needsNamespace(), () => {
  test("is no fault of ours", async () => {
    const routed = "ip link set lo up && " +
      'ip route add blackhole 198.51.100.0/24 && exec "$@"';
    const { out, err } = await runCommand([
      ...["unshare", "--net", "--", "sh", "-c", routed, "sh"],
      ...onThisRuntime("meet_itself.ts"),
      ...["1", "198.51.100.1:9"],
    ]);
    assertEquals(out.trim(), '{"address_not_available":1}', err);
  });
});

describe("an address that no route leads to", needsNamespace(), () => {
  test("is unreachable, and not refused", async () => {
    const routed = "ip link set lo up && " +
      'ip route add unreachable 203.0.113.0/24 && exec "$@"';
    const { out, err } = await runCommand([
      ...["unshare", "--net", "--", "sh", "-c", routed, "sh"],
      ...onThisRuntime("meet_itself.ts"),
      ...["1", "198.51.100.1:9", "203.0.113.1:9", "[2001:db8::1]:9"],
      ...["127.0.0.1:9", "[::1]:9"],
    ]);
    assertEquals(out.trim(), '{"unreachable":3,"connection_refused":2}', err);
  });
});

describe("a link-local address", needsNamespace(), () => {
  test("keeps the interface that it belongs to", async () => {
    const addressed = "ip link set lo up && " +
      'ip addr add fe80::1/64 dev lo nodad && exec "$@"';
    const { out, err } = await runCommand([
      ...["unshare", "--net", "--", "sh", "-c", addressed, "sh"],
      ...onThisRuntime("link_local.ts"),
    ]);
    const ends = Array(4).fill("fe80::1%lo").join(" ");
    assertEquals(out, `fe80::1%lo ${ends}\n:: ${ends}\n`, err);
  });
});

describe("a name that no name server answers for", {
  ...needs("dnsmasq", "unshare", "mount", "perl", "ss"),
  ...needsNamespace(),
}, () => {
  test("delays nobody who asks for another", async () => {
    const network = fileURLToPath(
      new URL("support/silent_names.sh", import.meta.url),
    );
    const { out, err } = await runCommand([
      ...["unshare", "--net", "--mount", "--", "sh", network],
      ...onThisRuntime("slow_names.ts"),
    ]);
    const known = ["127.0.0.1", "FAST.test", "fast.test", "here.test"];
    const reached = [...known, "localhost"].map((host) => `${host} reached`);
    assertEquals(out.trim(), JSON.stringify(reached), err);
  });
});

/** Runs `use` with the path of a socket, in a folder of its own; an odd one. */
async function inFolder(use: (path: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "tcpmux-test-"));
  try {
    await use(join(folder, "zwei  Wörter"));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe("a server that answers and closes at once", needs("perl"), () => {
  for (const kind of ["tcp", "unix"] as const) {
    test(`is heard by ${kind}, however late we look`, () =>
      inFolder(async (path) => {
        const server = await answersAtOnce(path);
        const to = kind === "tcp"
          ? { transport: kind, host: "127.0.0.1", port: server.port }
          : { transport: kind, path };
        try {
          for (let i = 0; i < 20; i++) {
            const attempt = dial(transport, to as Endpoint, {
              timeout: 30_000,
            });
            const end = performance.now() + 10;
            while (performance.now() < end);
            const conn = await attempt.conn;
            assertEquals(await readAll(conn), "hello");
            conn.close();
          }
        } finally {
          server.close();
        }
      }));
  }
});

describe("a Unix socket whose queue is full", needs("perl"), () => {
  test("is asked again until it has room", () =>
    inFolder(async (path) => {
      const full = await fullQueue(path);
      try {
        const to = { transport: "unix", path } as const;
        const attempt = dial(transport, to, { timeout: 30_000 });
        await sleep(100);
        full.drain();
        (await attempt.conn).close();
      } finally {
        full.close();
      }
    }));

  test("is waited for no longer than the time-out, which says why", () =>
    inFolder(async (path) => {
      const full = await fullQueue(path);
      try {
        const to = { transport: "unix", path } as const;
        const error = await rejectsWith(
          "timed_out",
          () => dial(transport, to, { timeout: 1_000 }).conn,
        );
        assert(error.message.includes("queue"), error.message);
        assertEquals(error.errno, "EAGAIN");
        const attempt = dial(transport, to);
        const failing = rejectsWith("cancelled", () => attempt.conn);
        await sleep(50);
        attempt.abort();
        await failing;
      } finally {
        full.close();
      }
    }));
});
