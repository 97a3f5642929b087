/** How much each may have: real clients of several addresses. */
import { describe, test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { bytes, readAll } from "./support/bytes.ts";
import { ask, connectTo, exchange } from "./support/client.ts";
import { needs } from "./support/needs.ts";
import { exchangeFrom, Netcat } from "./support/netcat.ts";
import { type RunningServer, withServer } from "./support/server.ts";
import { sleep, until } from "./support/wait.ts";

const BUSY = "-Server busy, try again later";
const [HERE, THERE, ELSEWHERE] = ["127.0.0.1", "127.0.0.2", "127.0.1.1"];

const table = (server: string, service: string) =>
  `[server]\n${server}\n[services.other]\nbuiltin = "echo"\n` +
  `[services.limited]\nbuiltin = "echo"\n${service}\n`;

/** What a client from there is told, and the client, who stays. */
async function come(port: number, from: string) {
  const client = new Netcat(port, from);
  client.send("limited\r\n");
  return { client, reply: await client.line() };
}

function refused(server: RunningServer, reason: string): Promise<unknown> {
  return server.logged(
    "connection",
    (line) => line.outcome === "busy" && line.reason === reason,
  );
}

interface Case {
  readonly name: string;
  readonly server?: string;
  readonly service?: string;
  readonly from: readonly string[];
  readonly isIn: readonly boolean[];
  readonly reason: string;
}

/** Of those who are here: who leaves makes room. */
const AT_A_TIME: Case[] = [
  {
    name: "max_connections of the server",
    server: "max_connections = 2",
    from: [HERE, THERE, ELSEWHERE],
    isIn: [true, true, false],
    reason: "max_connections is reached",
  },
  {
    name: "max_connections of a service",
    service: "max_connections = 2",
    from: [HERE, THERE, ELSEWHERE],
    isIn: [true, true, false],
    reason: "max_connections of limited is reached",
  },
  {
    name: "max_connections_per_source of the server",
    server: "max_connections_per_source = 1",
    from: [HERE, HERE, THERE],
    isIn: [true, false, true],
    reason: "max_connections_per_source is reached",
  },
  {
    name: "max_connections_per_source of a service",
    service: "max_connections_per_source = 1",
    from: [HERE, HERE, THERE],
    isIn: [true, false, true],
    reason: "max_connections_per_source of limited is reached",
  },
];

/** Of those who came, which nobody undoes by leaving. */
const RATES: Case[] = [
  {
    name: "rate_per_source of the server",
    server: 'rate_per_source = "2/h"',
    from: [HERE, HERE, HERE, THERE],
    isIn: [true, true, false, true],
    reason: "rate_per_source is exceeded",
  },
  {
    name: "rate_per_source of a service",
    service: 'rate_per_source = "2/h"',
    from: [HERE, HERE, HERE, THERE],
    isIn: [true, true, false, true],
    reason: "rate_per_source of limited is exceeded",
  },
  {
    name: "rate of a service",
    service: 'rate = "1/h burst 2"',
    from: [HERE, THERE, ELSEWHERE],
    isIn: [true, true, false],
    reason: "rate of limited is exceeded",
  },
];

describe("limits", needs("nc"), () => {
  for (const limit of [...AT_A_TIME, ...RATES]) {
    const { name, server = "", service = "", from, isIn, reason } = limit;
    test(`${name}: only the excess is refused`, () =>
      withServer(table(server, service), async (running) => {
        const { port } = running;
        const all = [];
        for (const address of from) all.push(await come(port, address));
        const expected = isIn.map((one) => one ? "+Go" : BUSY);
        assertEquals(all.map(({ reply }) => reply), expected);
        // Else its record comes only when it has been waited for in vain.
        for (const { client, reply } of all) {
          if (reply === BUSY) await client.leave();
        }
        await refused(running, reason);
        const ofService = service !== "";
        if (ofService) {
          const other = await exchangeFrom(HERE, port, "other\r\nhello");
          assertEquals(other, "+Go\r\nhello");
        }
        for (const { client } of all) await client.leave();
        if (RATES.includes(limit)) {
          const again = await come(port, from[isIn.indexOf(false)]!);
          await again.client.leave();
          assertEquals(again.reply, BUSY);
          return;
        }
        await until("there is room again", async () => {
          const { reply, client } = await come(port, HERE);
          await client.leave();
          return reply === "+Go";
        });
      }));
  }

  test("a rate that was exceeded lets clients in again by itself", () =>
    withServer(table("", 'rate = "1/s"'), async ({ port }) => {
      const clients = Array.from({ length: 20 }, async () => {
        const { conn, reply } = await ask(port, "limited");
        conn.close();
        return reply;
      });
      const replies = await Promise.all(clients);
      assert(replies.includes("+Go") && replies.includes(BUSY));
      await until("it lets one in", async () => {
        return await exchange(port, "limited\r\nx") === "+Go\r\nx";
      });
    }));
});

describe("times of a session", () => {
  test("max_duration ends one that talks all the time", () =>
    withServer(table("", 'max_duration = "700ms"'), async (server) => {
      const { conn } = await ask(server.port, "limited");
      const talk = (async () => {
        for (;;) {
          await conn.write(bytes("x"));
          if (await conn.read() === null) return;
          await sleep(20);
        }
      })();
      await talk.catch(() => {}); // a reset, where there is one
      conn.close();
      const { outcome, reason } = await server.record("limited");
      assertEquals([outcome, reason], ["timeout", "max_duration expired"]);
    }));

  test("idle_timeout ends one that says nothing, not one that talks", () =>
    withServer(table("", 'idle_timeout = "2s"'), async (server) => {
      const silent = await ask(server.port, "limited");
      const talking = await ask(server.port, "limited");
      let over = false;
      const end = silent.readAll().catch(() => "").then(() => over = true);
      while (!over) {
        await talking.conn.write(bytes("x"));
        assertEquals(await talking.read(), "x");
        await sleep(50);
      }
      await end;
      const { outcome, reason } = await server.record("limited");
      assertEquals([outcome, reason], ["timeout", "idle_timeout expired"]);
      for (let i = 0; i < 10; i++) {
        await talking.conn.write(bytes("y"));
        assertEquals(await talking.read(), "y");
      }
      for (const { conn } of [silent, talking]) conn.close();
    }));
});

describe("penalties", needs("nc"), () => {
  test("refuse one source for a while, and nobody else", () =>
    withServer(
      table(
        'penalties = { exempt = [], unknown = "20s", threshold = "50s", ' +
          'max = "3s" }',
        "",
      ),
      async (server) => {
        const { port } = server;
        const guess = () => exchangeFrom(THERE, port, "nothing\r\n");
        for (let i = 0; i < 3; i++) {
          assertEquals(await guess(), "-Service not available\r\n");
        }
        assertEquals(await guess(), `${BUSY}\r\n`);
        await server.logged("connection", ({ outcome, reason }) =>
          outcome === "busy" &&
          /^127\.0\.0\.2 is penalised for \d s more$/.test(String(reason)));
        const other = await exchangeFrom(ELSEWHERE, port, "limited\r\nx");
        assertEquals(other, "+Go\r\nx");
        await until("it is over", async () => {
          const said = await exchangeFrom(THERE, port, "limited\r\nx");
          return said === "+Go\r\nx";
        });
      },
    ));
});

describe("max_handshakes", () => {
  test("keeps silent ones from taking all room", () =>
    withServer(
      table(
        'handshake_timeout = "5m"\nmax_handshakes = "4:50:8"\n' +
          "max_connections_per_source = 0",
        "",
      ),
      async (server) => {
        const { port } = server;
        const isRefused = (conn: Awaited<ReturnType<typeof connectTo>>) =>
          Promise.race([readAll(conn).then(() => true), sleep(300)]);
        const talking = await ask(port, "limited");
        const silent = [];
        for (let tries = 0; silent.length < 8 && tries < 200; tries++) {
          const conn = await connectTo(port);
          if (await isRefused(conn)) conn.close();
          else silent.push(conn);
        }
        assertEquals(silent.length, 8);
        for (let i = 0; i < 5; i++) {
          const { conn, reply } = await ask(port, "limited");
          conn.close();
          assertEquals(reply, BUSY);
        }
        await talking.conn.write(bytes("x"));
        assertEquals(await talking.read(), "x");

        // Below full a client in good faith gets in, if not at once.
        for (const conn of silent.splice(0, 3)) conn.abort();
        await until("one gets in", async () => {
          const { conn, reply } = await ask(port, "limited");
          conn.close();
          return reply === "+Go";
        });
        for (const conn of silent) conn.abort();
        await server.logged("there is room again");
        const full = server.log.filter(({ message }) =>
          message === "full: new clients are refused"
        );
        assert(full.length > 0 && full.length < 5, `said ${full.length} times`);
        for (let i = 0; i < 5; i++) {
          assertEquals(await exchange(port, "limited\r\nx"), "+Go\r\nx");
        }
        talking.conn.close();
      },
    ));
});
