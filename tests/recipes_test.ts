/** The recipes of docs/library.md, with the real packages and servers. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { describe, test } from "node:test";
import { assertEquals } from "@std/assert";
import { connect, formatEndpoint, serve } from "../mod.ts";
import { bytes, readAll } from "./support/bytes.ts";
import { freePort } from "./support/daemon.ts";
import { needs } from "./support/needs.ts";
import { needsPostgres, withPostgres } from "./support/postgres.ts";
import { withRedis } from "./support/redis.ts";
import { ROOT } from "./support/server.ts";
import { until } from "./support/wait.ts";

/** Milliseconds that a recipe may take: all of them end by themselves. */
const TIMEOUT = 60_000;

describe("the recipe for", () => {
  test("a web server", async () => {
    const port = await freePort();
    const address = `127.0.0.1:${port}`;
    await withRecipe("http-server", { LISTEN: address }, async (recipe) => {
      const conn = await until(
        "the recipe serves",
        () => connect(address, "web").catch(() => false as const),
      );
      if (conn === false) throw new Error("never");
      await conn.write(
        bytes("GET /a HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n"),
      );
      const answer = await readAll(conn);
      conn.close();
      assertEquals(answer.split("\r\n")[0], "HTTP/1.1 200 OK");
      assertEquals(answer.split("\r\n\r\n")[1], "GET /a\n");
      // By its number: kill() of Deno would report the signal as its end.
      process.kill(recipe.pid!, "SIGTERM");
    });
  });

  for (const recipe of ["http-agent", "undici"]) {
    test(recipe, async () => {
      const web = createServer((request, response) => {
        response.end(`${request.url} of ${request.headers.host}`);
      });
      await new Promise<void>((resolve) =>
        web.listen(0, "127.0.0.1", () => resolve())
      );
      const { port } = web.address() as AddressInfo;
      try {
        const output = await behindMux({ web: port }, recipe);
        const status = recipe === "undici" ? "200 " : "";
        assertEquals(output, `${status}/status of web\n`);
      } finally {
        web.close();
      }
    });
  }

  test("ws", async () => {
    assertEquals(await outputOf("ws", {}), "you said hello\n");
  });

  test("pg", needsPostgres(), () =>
    withPostgres(async ({ port }) => {
      assertEquals(await behindMux({ postgres: port }, "pg"), "42\n");
    }));

  test("ioredis", needs("redis-server"), () =>
    withRedis(async ({ port }) => {
      assertEquals(await behindMux({ redis: port }, "ioredis"), "hello\n");
    }));
});

/** Runs a recipe beside a TCPMUX server that leads to these ports. */
async function behindMux(
  ports: Record<string, number>,
  recipe: string,
): Promise<string> {
  const services = Object.entries(ports).map(([name, port]) =>
    [name, { connect: `127.0.0.1:${port}` }] as const
  );
  const server = await serve({
    server: { listen: "127.0.0.1:0" },
    services: Object.fromEntries(services),
  });
  try {
    const MUX = formatEndpoint(server.addresses[0]!);
    return await outputOf(recipe, { MUX });
  } finally {
    await server.close(0);
  }
}

function outputOf(
  recipe: string,
  env: Record<string, string>,
): Promise<string> {
  return withRecipe(recipe, env, () => Promise.resolve());
}

/** Runs a recipe, and `use` meanwhile; what it has said when it has ended. */
async function withRecipe(
  name: string,
  env: Record<string, string>,
  use: (recipe: ChildProcess) => Promise<void>,
): Promise<string> {
  // Beside the tests, where imports of packages resolve as in the project.
  const folder = mkdtempSync(join(ROOT, "tests", "tmp-recipe-"));
  const file = join(folder, "recipe.ts");
  writeFileSync(file, codeOf(name));
  const words = "Deno" in globalThis
    ? ["run", "-A", "--quiet", "--no-lock", file]
    : "Bun" in globalThis
    ? ["--no-env-file", "run", file]
    : [file];
  const recipe = spawn(process.execPath, words, {
    cwd: ROOT,
    env: { ...process.env, ...env },
    timeout: TIMEOUT,
    killSignal: "SIGKILL",
  });
  let output = "";
  recipe.stdout.on("data", (data) => output += data);
  recipe.stderr.on("data", (data) => output += data);
  const ended = new Promise<number | null>((resolve) =>
    recipe.once("close", (code) => resolve(code))
  );
  try {
    await use(recipe);
    assertEquals(await ended, 0, output);
    return output;
  } finally {
    recipe.kill("SIGKILL");
    await ended;
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The block of docs/library.md that is marked with the name. */
function codeOf(name: string): string {
  const text = readFileSync(join(ROOT, "docs", "library.md"), "utf8");
  const block = new RegExp(`^\`\`\`ts ${name}\n([^]*?)^\`\`\``, "m").exec(text);
  if (block === null) throw new Error(`docs/library.md has no recipe ${name}`);
  return block[1]!.replaceAll(/"tcpmux"/g, '"../../mod.ts"');
}
