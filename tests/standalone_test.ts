import { spawn } from "node:child_process";
import {
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { exchange } from "./support/client.ts";
import { runCommand } from "./support/command.ts";
import { needs } from "./support/needs.ts";
import { ROOT } from "./support/server.ts";

const DENO = join(ROOT, "node_modules", ".bin", "deno");
const folder = mkdtempSync(join(tmpdir(), "tcpmux-standalone-"));
after(() => rmSync(folder, { recursive: true, force: true }));

describe("deno", needs(DENO), () => {
  test("run --allow-net serves the embedded table, and asks for nothing", async () => {
    const child = spawn(DENO, [
      "run",
      "--allow-net",
      "--no-prompt",
      "--no-lock",
      join(ROOT, "mod.ts"),
      "--listen=127.0.0.1:0",
    ], { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
    try {
      let err = "";
      const port = await new Promise<number>((resolve, reject) => {
        child.stderr.on("data", (bytes) => {
          err += bytes;
          const serving = / serving .*:(\d+)\n/.exec(err);
          if (serving) resolve(Number(serving[1]));
        });
        child.once("exit", () => reject(new Error(err)));
      });
      assertMatch(await exchange(port, "HELP\r\n"), /^echo\r\ndiscard\r\n/);
      assertEquals(await exchange(port, "echo\r\nhi"), "+Go\r\nhi");
      assertMatch(await exchange(port, "daytime\r\n"), /-UTC\r\n$/);
      assert(!/warn|error|permission/i.test(err), err);
    } finally {
      process.kill(child.pid!, "SIGKILL");
    }
  });

  test("without permission for programs says so at the start", async () => {
    const table = join(folder, "exec.toml");
    writeFileSync(table, `[services.x]\nexec = ["/bin/true"]\n`);
    const { code, err } = await runCommand([
      DENO,
      "run",
      "--allow-net",
      `--allow-read=${table}`,
      "--no-prompt",
      "--no-lock",
      join(ROOT, "mod.ts"),
      `--config=${table}`,
      "--listen=127.0.0.1:0",
    ]);
    assertEquals(code, 78);
    assertMatch(
      err,
      /services\.x\.exec: needs to start programs: .*deno run -A/,
    );
  });

  test("without permission for files says so to cert", async () => {
    for (const words of [["init"], ["issue", "x"], ["list"]]) {
      const { code, out, err } = await runCommand([
        ...[DENO, "run", "--allow-net", "--no-prompt", "--no-lock"],
        ...[join(ROOT, "mod.ts"), "cert", ...words],
      ], { cwd: folder });
      assertEquals([code, out], [78, ""], err);
      assertMatch(
        err,
        /^tcpmux: cert runs openssl\(1\), .* with deno run -A\)\n$/,
      );
    }
  });

  // Its base binary can be downloaded on few machines, so another one stands
  // in for it: what is embedded is the same.
  test("compile embeds one small file and no more", async () => {
    const bundle = join(folder, "tcpmux.mjs");
    const bun = join(ROOT, "node_modules", ".bin", "bun");
    const built = await runCommand(
      [bun, "build", "--target=node", "cli.ts", "--outfile", bundle],
      { cwd: ROOT },
    );
    assertEquals(built.code, 0, built.err);
    const { code, err } = await runCommand([
      DENO,
      "compile",
      "--allow-all",
      "--no-config",
      "--no-lock",
      "--no-check",
      "--output",
      join(folder, "tcpmux"),
      bundle,
    ], { env: { DENORT_BIN: "/bin/true", NO_COLOR: "1" } });
    assertEquals(code, 0, err);
    const { size } = statSync(bundle);
    assert(size < 1.5e6, `the bundle has ${size} bytes`);
    const embedded = readFileSync(join(folder, "tcpmux"));
    assert(embedded.includes("Sends back what it gets (RFC 862)"), err);
    const own = statSync("/bin/true").size;
    const more = embedded.length - own - size;
    assert(more < 100_000, `${more} bytes besides the bundle`);
  });
});
