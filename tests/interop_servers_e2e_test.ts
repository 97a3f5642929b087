import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { connect } from "../src/connect.ts";
import { list } from "../src/library/list.ts";
import { RefusedError } from "../src/errors.ts";
import { bytes, pattern, readAll, readSome } from "./support/bytes.ts";
import { withFolder } from "./support/daemon.ts";
import {
  type ForeignServer,
  type ForeignService,
  foreignServices,
} from "./support/foreign.ts";
import { needsInetutils, withInetutils } from "./support/inetutils.ts";
import { withMux1988 } from "./support/mux1988.ts";
import { needs } from "./support/needs.ts";
import { type Ran, run } from "./support/run.ts";
import { programUnderTest, withServer } from "./support/server.ts";
import { withXinetd } from "./support/xinetd.ts";

interface Kind {
  readonly name: string;
  readonly options: { skip?: string };
  readonly start: (
    services: readonly ForeignService[],
    use: (server: ForeignServer) => Promise<void>,
  ) => Promise<void>;
  /** What it says of a service that it has not. */
  readonly unknown: string;
  /** It knows no HELP. */
  readonly noHelp?: boolean;
  /** It sends a NUL byte behind each reply of its own. */
  readonly nul?: boolean;
}

const KINDS: readonly Kind[] = [
  {
    name: "xinetd",
    options: needs("xinetd"),
    start: withXinetd,
    unknown: "Service name not found",
    noHelp: true,
    nul: true,
  },
  {
    name: "inetd of inetutils",
    options: needsInetutils(),
    start: withInetutils,
    unknown: "Service not available",
  },
  {
    name: "a program of 1988 under socat",
    options: needs("socat"),
    start: withMux1988,
    unknown: "Service not available",
  },
];

/** Runs `use` with a server of that kind. */
function started(
  kind: Kind,
  use: (server: ForeignServer) => Promise<void>,
  more: (services: ForeignService[]) => ForeignService[] = (all) => all,
): Promise<void> {
  return withFolder((folder) => kind.start(more(foreignServices(folder)), use));
}

/** Runs our client command. */
function tcpmux(words: string[], input?: string | Uint8Array): Promise<Ran> {
  return run([...programUnderTest(), ...words], { input, timeout: 60_000 });
}

const large = pattern(5_000_000);

for (const kind of KINDS) {
  const flags = kind.nul ? ["--xinetd"] : [];
  const dropNul = kind.nul === true;

  describe(`our client and ${kind.name}`, kind.options, () => {
    test("connect carries 5 MB there and back, and the end of its input", () =>
      started(kind, async ({ address }) => {
        const cat = await tcpmux(["connect", ...flags, address, "cat"], large);
        assertEquals([cat.code, cat.stderr], [0, ""]);
        assert(cat.stdout.equals(large), `got ${cat.stdout.length} bytes`);
        const digest = await tcpmux(
          ["connect", ...flags, address, "DIGEST"],
          large,
        );
        assertEquals(digest.code, 0);
        const wanted = createHash("sha256").update(large).digest("hex");
        assertEquals(String(digest.stdout), `${wanted}  -\n`);
      }));

    test("connect takes the reply of the program itself", () =>
      started(kind, async ({ address }) => {
        const own = await tcpmux(["connect", "-v", address, "own"], "hello\n");
        assertEquals([own.code, String(own.stdout)], [0, "hello\n"]);
        assertMatch(own.stderr, /^tcpmux: \+mine, at your service$/m);
        const moody = await tcpmux(["connect", address, "moody"], "hello\n");
        assertEquals([moody.code, String(moody.stdout)], [69, ""]);
        assertMatch(moody.stderr, /refuses "moody": not today$/m);
      }));

    test("connect says what the server says of an unknown service", () =>
      started(kind, async ({ address }) => {
        const ran = await tcpmux(["connect", address, "nothing"], large);
        assertEquals([ran.code, String(ran.stdout)], [69, ""]);
        assertEquals(
          ran.stderr.includes(`refuses "nothing": ${kind.unknown}\n`),
          true,
          ran.stderr,
        );
      }));

    test("list gives the names, or that there is no list", () =>
      started(kind, async ({ address }) => {
        const ran = await tcpmux(["list", address]);
        if (kind.noHelp) {
          assertEquals([ran.code, String(ran.stdout)], [69, ""]);
          const error = await assertRejects(() => list(address), RefusedError);
          assertEquals([error.code, error.reply], ["refused", kind.unknown]);
          return;
        }
        const names = ["cat", "digest", "moody", "own"];
        assertEquals(ran.code, 0, ran.stderr);
        assertEquals(String(ran.stdout).trim().split("\n").sort(), names);
        assertEquals((await list(address)).sort(), names);
      }));

    test("the library asks, talks line by line and ends its side", () =>
      started(kind, async ({ address }) => {
        const conn = await connect(address, "cat", { dropNul });
        assertEquals(conn.message, "Go");
        for (let i = 1; i <= 20; i++) {
          const line = `line ${i}\n`;
          await conn.write(bytes(line));
          assertEquals(await readSome(conn, line.length), line);
        }
        await conn.closeWrite();
        assertEquals(await readAll(conn), "");
        conn.close();
        const error = await assertRejects(
          () => connect(address, "nothing"),
          RefusedError,
        );
        assertEquals([error.code, error.reply], ["refused", kind.unknown]);
      }));

    test("our server passes its services on under names of its own", () =>
      started(kind, ({ host, port }) =>
        withServer(
          `
[services.far]
tcpmux = "${host}:${port}/cat"
[services.none]
tcpmux = "${host}:${port}/nothing"
`,
          async (server) => {
            const here = `127.0.0.1:${server.port}`;
            const far = await tcpmux(["connect", ...flags, here, "far"], large);
            assertEquals([far.code, far.stderr], [0, ""]);
            assert(far.stdout.equals(large), `got ${far.stdout.length} bytes`);
            const none = await tcpmux(["connect", here, "none"]);
            assertEquals(none.code, 69);
            assertMatch(none.stderr, new RegExp(`: ${kind.unknown}$`, "m"));
          },
        )));
  });
}

describe("our client and what only xinetd does", needs("xinetd"), () => {
  const xinetd = KINDS[0]!;

  test("the NUL behind its reply stays where it is not told to drop it", () =>
    started(xinetd, async ({ address }) => {
      const kept = await tcpmux(["connect", address, "cat"], "hello\n");
      assertEquals([kept.code, String(kept.stdout)], [0, "\0hello\n"]);
      const conn = await connect(address, "cat");
      assertEquals(await readSome(conn, 1), "\0");
      conn.close();
    }));

  test("a NUL of the service's own is not dropped", () =>
    started(xinetd, async ({ address }) => {
      const input = "\0\0hello\n";
      for (const service of ["cat", "own"]) {
        // With `own`, the program replies and no NUL of xinetd's comes.
        const words = service === "own" ? [] : ["--xinetd"];
        const ran = await tcpmux(
          ["connect", ...words, address, service],
          input,
        );
        assertEquals([ran.code, String(ran.stdout)], [0, input]);
      }
    }));

  test("who closes without a word is no TCPMUX server, exit 76", () =>
    started(xinetd, async ({ address }) => {
      const ran = await tcpmux(["connect", address, "cat"]);
      assertEquals([ran.code, String(ran.stdout)], [76, ""]);
      assertMatch(ran.stderr, /it closed the connection/);
    }, (all) => all.map((service) => ({ ...service, denied: true }))));
});
