/** check asks the upstreams, prints the table, and looks at the ports. */
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { runCommand, tcpmux } from "./support/command.ts";
import { freePort, withFolder } from "./support/daemon.ts";
import { needs, needsRoot } from "./support/needs.ts";
import { programUnderTest } from "./support/server.ts";
import { unprivileged } from "./support/unprivileged.ts";

/** Listens on any port, with `greeting` for each client. */
async function listening(
  greeting: string,
): Promise<{ server: Server; port: number }> {
  const server = createServer((socket) => {
    socket.on("error", () => {}); // check has seen enough
    if (greeting !== "") socket.write(greeting);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return { server, port: (server.address() as { port: number }).port };
}

describe("check --connect", () => {
  test("names each upstream that does not answer, and exits 69", () =>
    withFolder(async (folder) => {
      const [silent, loud] = [await listening(""), await listening("hello")];
      const dead = await freePort();
      const file = join(folder, "services.toml");
      const table = (text: string) =>
        writeFileSync(file, `server.listen = "127.0.0.1:0"\n${text}`);
      try {
        table(`[services.up]
connect = "127.0.0.1:${silent.port}"
[services.first]
connect = "127.0.0.1:${loud.port}"
ready = "first-byte"
[services.off]
connect = "127.0.0.1:${dead}"
enabled = false
`);
        const good = await tcpmux(["check", file, "--connect"]);
        assertEquals([good.code, good.err], [0, ""]);
        table(`[services.up]
connect = ["127.0.0.1:${dead}",
  "127.0.0.1:${silent.port}"]
[services.first]
connect = "127.0.0.1:${silent.port}"
connect_timeout = "300ms"
ready = "first-byte"
[services.mux]
tcpmux = "127.0.0.1:${dead}/x"
`);
        const bad = await tcpmux(["check", file, "--connect"]);
        assertEquals(bad.code, 69, bad.err);
        const short = bad.err.replaceAll(`${file}:`, "").split("\n");
        assertMatch(
          short[0]!,
          /^3: services\.up\.connect\[0\]: cannot connect/,
        );
        assertMatch(short[1]!, /^6: services\.first\.connect: .* sent nothing/);
        assertMatch(short[2]!, /^10: services\.mux\.tcpmux: cannot connect/);
        assertEquals(short.length, 4);
        assertMatch(bad.out, /: 3 services, no errors\n$/);
        const json = await tcpmux(["check", file, "--connect", "--json"]);
        assertEquals(json.code, 69);
        const { ok, warnings, upstreams } = JSON.parse(json.out);
        assertEquals([ok, warnings, upstreams.length], [true, [], 3]);
        table("[services.x]\nconnect = 1\n");
        assertEquals((await tcpmux(["check", file, "--connect"])).code, 78);
      } finally {
        silent.server.close();
        loud.server.close();
      }
    }));
});

test("check --dump prints one table of all files", () =>
  withFolder(async (folder) => {
    const file = join(folder, "services.toml");
    mkdirSync(join(folder, "more"));
    writeFileSync(join(folder, "more/a.toml"), '[services.a]\ntext = "a"\n');
    writeFileSync(
      file,
      'include = ["more/*"]\nserver.listen = "127.0.0.1:0"\n' +
        '[services.b]\ntext = "b"\n',
    );
    const first = await tcpmux(["check", file, "--dump"]);
    assertEquals([first.code, first.err], [0, ""]);
    assert(!first.out.includes("include"));
    const dumped = join(folder, "dumped.toml");
    writeFileSync(dumped, first.out, { mode: 0o644 });
    const second = await tcpmux(["check", "--dump", dumped]);
    assertEquals([second.code, second.out], [0, first.out]);
    const both = await tcpmux(["check", "--dump", "--json", dumped]);
    assertEquals(both.code, 64);
    writeFileSync(join(folder, "more/a.toml"), "[services.a]\n");
    const wrong = await tcpmux(["check", file, "--dump"]);
    assertEquals([wrong.code, wrong.out], [78, ""]);
  }));

test(
  "check warns of a port that its user may not have, and of addresses that are not here",
  {
    ...needs("setpriv"),
    ...needsRoot(),
  },
  () =>
    withFolder(async (folder) => {
      const file = join(folder, "services.toml");
      writeFileSync(
        file,
        'server.listen = ["127.0.0.1:1001", "203.0.113.77:1001"]\n' +
          '[services.a]\ntext = "a"\n',
      );
      const { code, err } = await runCommand([
        ...unprivileged(),
        ...programUnderTest(),
        ...["check", "--no-strict-modes", file],
      ]);
      assertEquals(code, 0, err);
      assertMatch(err, /:1: server\.listen\[0\]: 127\.0\.0\.1:1001 may not be/);
      const other = await tcpmux(["check", file]);
      assertEquals(other.code, 0);
      assertMatch(other.err, /listen\[1\]: 203\.0\.113\.77:1001 is no address/);
    }),
);
