import { closeSync, ftruncateSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { needs } from "./support/needs.ts";
import { withNginx } from "./support/nginx.ts";
import {
  needsPostgres,
  type Postgres,
  withPostgres,
} from "./support/postgres.ts";
import { peakMemory } from "./support/processes.ts";
import { withRedis } from "./support/redis.ts";
import { mustRun, run } from "./support/run.ts";
import { portOf, type RunningCommand, withCommand } from "./support/running.ts";
import { type RunningServer, withServer } from "./support/server.ts";
import { until } from "./support/wait.ts";

/**
 * Runs `use` with our server for services by their names and upstreams, and
 * with our forward to them, which has a port for each and a Unix socket.
 */
function withForward(
  services: Record<string, string>,
  use: (
    ports: Record<string, number>,
    forward: RunningCommand,
    server: RunningServer,
    folder: string,
  ) => Promise<void>,
): Promise<void> {
  const names = Object.keys(services);
  const table = names.map((name) =>
    `[services.${name}]\nconnect = ${JSON.stringify(services[name])}\n`
  );
  return withServer(table.join(""), (server) =>
    withCommand((folder) => [
      ...["forward", "--json"],
      ...names.map((name) => `0=${name}`),
      ...names.map((name) => `unix:${folder}/${name}=${name}`),
      `127.0.0.1:${server.port}`,
    ], async (forward, folder) => {
      const { forwards } = await forward.ready<
        { forwards: { name: string; listen: string }[] }
      >();
      const ports = forwards.slice(0, names.length)
        .map(({ name, listen }) => [name, portOf(listen)]);
      await use(Object.fromEntries(ports), forward, server, folder);
    }));
}

describe("psql through forward and our server", needsPostgres(), () => {
  /** Runs `use` with a way to ask PostgreSQL over TCP or its Unix socket. */
  function withQueries(
    use: (
      query: (service: string, sql: string, input?: string) => Promise<string>,
      ports: Record<string, number>,
      postgres: Postgres,
    ) => Promise<void>,
  ): Promise<void> {
    return withPostgres((postgres) =>
      withForward({
        tcp: `127.0.0.1:${postgres.port}`,
        local: `unix:${postgres.socket}`,
      }, (ports) => {
        const query = async (service: string, sql: string, input?: string) => {
          const psql = postgres.psql(ports[service]!);
          const ran = await mustRun([...psql, "-c", sql], { input });
          return String(ran.stdout);
        };
        return use(query, ports, postgres);
      })
    );
  }

  test("creates, fills and reads a table of 10 MB", () =>
    withQueries(async (query, _, postgres) => {
      const rows = Array.from(
        { length: 200_000 },
        (_, i) => `${i}\t${`text ${i} `.repeat(4).trimEnd()}`,
      ).join("\n") + "\n";
      await query("tcp", "create table t (id int primary key, words text)");
      await query("tcp", "copy t from stdin", rows);
      // What arrived is asked for past our server, and then through it.
      const direct = await mustRun([
        ...postgres.psql(postgres.port),
        ...["-c", "select count(*), sum(length(words)) from t"],
      ]);
      assertMatch(String(direct.stdout), /^200000\|\d+\n$/);
      for (const service of ["tcp", "local"]) {
        const copy = await query(service, "copy t to stdout");
        assertEquals(copy === rows, true, `${copy.length} of ${rows.length}`);
      }
    }));

  test("tells of errors, and of the session it is in", () =>
    withQueries(async (query, ports, postgres) => {
      const psql = postgres.psql(ports["tcp"]!);
      const ran = await run([...psql, "-c", "select * from nothing"]);
      assertEquals([ran.code, String(ran.stdout)], [1, ""]);
      assertMatch(ran.stderr, /relation "nothing" does not exist/);
      assertEquals(await query("local", "select inet_client_addr()"), "\n");
      assertEquals(
        await query("tcp", "select inet_client_addr()"),
        "127.0.0.1\n",
      );
    }));

  test("holds transactions of several sessions at once", () =>
    withQueries(async (query) => {
      await query("tcp", "create table n (n int); insert into n values (0)");
      const add =
        "begin; update n set n = n + 1; select pg_sleep(0.01); commit";
      const sessions = Array.from(
        { length: 12 },
        (_, i) => query(i % 2 === 0 ? "tcp" : "local", add),
      );
      await Promise.all(sessions);
      assertEquals(await query("tcp", "select n from n"), "12\n");
    }));
});

const redis = needs("redis-server", "redis-cli");
describe("redis-cli through forward and our server", redis, () => {
  test("asks, fills by a pipe, and follows a channel", () =>
    withRedis((redis) =>
      withForward(
        { redis: `127.0.0.1:${redis.port}`, local: `unix:${redis.socket}` },
        async (ports, _forward, server, folder) => {
          const cli = async (to: string[], words: string[], input?: string) => {
            const ran = await mustRun(["redis-cli", ...to, ...words], {
              input,
            });
            return String(ran.stdout);
          };
          const tcp = ["-p", String(ports["redis"])];
          const unix = ["-s", join(folder, "local")];
          assertEquals(await cli(tcp, ["ping"]), "PONG\n");
          const keys = 50_000;
          const commands = Array.from(
            { length: keys },
            (_, i) => `SET key:${i} ${"v".repeat(1 + i % 300)}\r\n`,
          );
          assertMatch(
            await cli(tcp, ["--pipe"], commands.join("")),
            new RegExp(`errors: 0, replies: ${keys}`),
          );
          assertEquals(await cli(unix, ["dbsize"]), `${keys}\n`);
          assertEquals(await cli(unix, ["strlen", "key:299"]), "300\n");
          const value = "x".repeat(5_000_000);
          assertEquals(await cli(unix, ["-x", "set", "large"], value), "OK\n");
          assertEquals(await cli(tcp, ["get", "large"]), `${value}\n`);

          // A subscriber is told of what others publish later.
          const heard = run(["redis-cli", ...tcp, "subscribe", "news"]);
          await until(
            "somebody hears the news",
            async () => await cli(unix, ["publish", "news", "hello"]) === "1\n",
          );
          await cli(unix, ["client", "kill", "type", "pubsub"]);
          assertMatch(String((await heard).stdout), /message\nnews\nhello\n/);
          const record = await server.record("redis");
          assertEquals(record.outcome, "served");
        },
      )
    ));
});

describe(
  "curl through forward and our server",
  needs("nginx", "curl", "cmp"),
  () => {
    test("gets 1 GB, and neither of ours grows with it", () =>
      withNginx((nginx) =>
        withForward(
          { http: `127.0.0.1:${nginx.port}` },
          async (ports, forward, server) => {
            const file = join(nginx.root, "large");
            makeLarge(file);
            const url = `http://127.0.0.1:${ports["http"]}/large`;
            const processes = { forward: forward.pid, server: server.pid };
            const before = Object.values(processes).map(peakMemory);
            // Piped on, so that these tests do not grow with it either.
            await mustRun(
              ["sh", "-c", 'curl -sSf "$1" | cmp - "$2"', "sh", url, file],
              { timeout: 300_000 },
            );
            for (const [index, name] of Object.keys(processes).entries()) {
              const pid = Object.values(processes)[index]!;
              const growth = peakMemory(pid) - before[index]!;
              assert(growth < 256, `the ${name} grew by ${growth} MiB`);
            }
            for (const ours of [forward, server]) {
              const record = await ours.record("http");
              assertEquals(record.outcome, "served");
              assert(Number(record.bytes_out) > GIB);
            }
          },
        )
      ));
  },
);

const GIB = 1024 ** 3;

/** 1 GiB with a mark in each MiB; the rest are holes, which cost no disk. */
function makeLarge(file: string): void {
  const descriptor = openSync(file, "w");
  ftruncateSync(descriptor, GIB);
  for (let mark = 0; mark < 1024; mark++) {
    writeSync(descriptor, `mark ${mark}\n`, mark * 1024 * 1024 + mark);
  }
  closeSync(descriptor);
}
