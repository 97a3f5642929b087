/** Where the library logs to that was given no log. */
import { execFile } from "node:child_process";
import process from "node:process";
import { describe, test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { serve } from "../mod.ts";
import { ROOT } from "./support/server.ts";
import { rejectsWith } from "./support/rejects.ts";

const SERVER = `
  import { connect, memoryTransport, serve } from "./mod.ts";
  const transport = memoryTransport();
  const server = await serve({
    server: { listen: "127.0.0.1:0" },
    services: { bad: () => { throw new TypeError("oops"); } },
  }, { transport, LOG });
  const conn = await connect(server.addresses[0], "bad", { transport });
  await conn.read().catch(() => {});
  await server.close();
`;

/** What the program says on standard error. */
function said(program: string): Promise<string> {
  const words = "Deno" in globalThis
    ? ["run", "--allow-net", "--no-lock", "--ext=ts", "-"]
    : "Bun" in globalThis
    ? ["run", "-"]
    : ["--input-type=module", "-"];
  return new Promise((resolve, reject) => {
    const child = execFile(
      process.execPath,
      words,
      { cwd: ROOT, timeout: 60_000 },
      (error, _, stderr) => error ? reject(error) : resolve(stderr),
    );
    child.stdin!.end(program);
  });
}

describe("a function that throws", () => {
  test("is said on standard error, with its stack", async () => {
    const text = await said(SERVER.replace("LOG", ""));
    assert(
      text.includes("tcpmux: a service threw an error: conn=1 service=bad"),
      text,
    );
    assert(text.includes("TypeError: oops"), text);
  });

  test("is said to the log alone where one was given", async () => {
    const text = await said(SERVER.replace("LOG", "log() {}"));
    assertEquals(text.replaceAll(/^.*Warning.*$/gm, "").trim(), "");
  });

  test("is said to LogTape alone where that was set up", async () => {
    const text = await said(`
      import { configure } from "@logtape/logtape";
      await configure({
        sinks: { seen: ({ message }) => console.error("SEEN", ...message) },
        loggers: [
          { category: "tcpmux", sinks: ["seen"], lowestLevel: "error" },
          { category: ["logtape", "meta"], sinks: [] },
        ],
      });
      ${SERVER.replace("LOG", "")}`);
    assert(text.includes("SEEN a service threw"), text);
    assert(!text.includes("tcpmux: a service threw"), text);
  });
});

test("a host to listen on that is not known is host_not_found", () =>
  rejectsWith(
    "host_not_found",
    () => serve({ server: { listen: "name.invalid:0" } }),
  ).then(() => {}));
