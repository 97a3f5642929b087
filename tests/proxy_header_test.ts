/** What a server does with the header of a proxy, and with what it lacks. */
import { describe, test } from "node:test";
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  checkTable,
  type ConnectionRecord,
  serve,
  type TableInput,
} from "../mod.ts";
import {
  proxyHeader,
  ProxyHeaderReader,
} from "../src/handshake/proxy_protocol.ts";
import type { ProxyFacts } from "../src/handshake/proxy_facts.ts";
import { TableError } from "../src/table/problem.ts";
import { parseTable } from "../src/table/parse.ts";
import { bytes, readAll, readLine, text } from "./support/bytes.ts";
import { type InMemory, inMemory } from "./support/in_memory.ts";
import { until } from "./support/wait.ts";

const tcp = (host: string, port: number) =>
  ({ transport: "tcp", host, port }) as const;

/** What a proxy sends for a client from there. */
function header(host: string, version: 1 | 2 = 1): string {
  const peer = { remote: tcp(host, 5000), local: tcp("192.0.2.1", 10001) };
  return text(proxyHeader(version, peer, { uniqueId: "id", authority: "x" }));
}

const TRUSTED = {
  listen: "proxy://127.0.0.1:0",
  trusted_proxies: ["127.0.0.1"],
};

/** Runs `use` with a server whose clients come by a proxy. */
function behindProxy(
  table: {
    server?: Record<string, unknown>;
    services?: TableInput["services"];
  },
  use: (set: InMemory) => Promise<void>,
): Promise<void> {
  return inMemory({
    server: { ...TRUSTED, ...table.server },
    services: table.services ?? { hi: { text: "hi\n" } },
  } as TableInput, use);
}

async function sent(set: InMemory, request: string): Promise<string> {
  const conn = await set.connect("");
  try {
    await conn.write(Uint8Array.from(request, (char) => char.charCodeAt(0)));
    await conn.closeWrite();
    return await readAll(conn);
  } catch {
    return "reset";
  } finally {
    conn.close();
  }
}

function recorded(
  set: InMemory,
  matches: (record: ConnectionRecord) => boolean = () => true,
): Promise<ConnectionRecord> {
  return until(
    () => `there is a record: ${JSON.stringify(set.records)}`,
    () => set.records.find(matches),
  );
}

describe("a client that a proxy announces", () => {
  for (const version of [1, 2] as const) {
    test(`is served by version ${version}, and recorded by its own address`, () =>
      behindProxy({}, async (set) => {
        const reply = await sent(
          set,
          `${header("198.51.100.7", version)}hi\r\n`,
        );
        assertEquals(reply, "+Go\r\nhi\n");
        const { remote, local, via, uniqueId } = await recorded(set);
        assertEquals(
          [remote, local, uniqueId],
          [
            "198.51.100.7:5000",
            "192.0.2.1:10001",
            version === 2 ? "id" : undefined,
          ],
        );
        assert(/^127\.0\.0\.1:\d+$/.test(via!), via);
        const line = set.log.find(({ message }) => message === "connection")!;
        assertEquals(line.fields.via, via);
        const found = set.log.find(({ message }) =>
          message === "PROXY header"
        )!;
        assertEquals(found.fields.version, version);
      }));
  }

  test("may come byte by byte, and its first bytes are early ones", () =>
    behindProxy({ services: { echo: { builtin: "echo" } } }, async (set) => {
      const conn = await set.connect("");
      for (const char of `${header("2001:db8::7", 2)}echo\r\nabc`) {
        await conn.write(Uint8Array.of(char.charCodeAt(0)));
      }
      await conn.closeWrite();
      assertEquals(await readAll(conn), "+Go\r\nabc");
      assertEquals((await recorded(set)).remote, "[2001:db8::7]:5000");
    }));

  test("is let in and kept out by its own address", () =>
    behindProxy({
      services: {
        inside: { text: "in\n", allow: ["198.51.100.0/24"] },
        outside: { text: "out\n", deny: ["198.51.100.0/24"], allow: ["any"] },
      },
    }, async (set) => {
      const reply = async (host: string, name: string) =>
        (await sent(set, `${header(host)}${name}\r\n`))[0];
      assertEquals(await reply("198.51.100.7", "inside"), "+");
      assertEquals(await reply("::ffff:198.51.100.7", "inside"), "+");
      assertEquals(await reply("198.51.100.7", "outside"), "-");
      assertEquals(await reply("203.0.113.1", "inside"), "-");
      assertEquals(await reply("127.0.0.1", "inside"), "-");
    }));

  test("is a source of its own, and the proxy is none", () =>
    behindProxy({
      server: { max_connections_per_source: 1, rate_per_source: "3/h" },
      services: { echo: { builtin: "echo" } },
    }, async (set) => {
      const stays = async (host: string) => {
        const conn = await set.connect(`${header(host)}echo\r\n`);
        return await readLine(conn);
      };
      assertEquals(await stays("198.51.100.1"), "+Go\r\n");
      assertEquals(await stays("198.51.100.2"), "+Go\r\n");
      for (let i = 0; i < 5; i++) {
        assertEquals(await stays(`198.51.100.${10 + i}`), "+Go\r\n");
      }
      assert((await stays("198.51.100.1")).startsWith("-Server busy"));
      const { remote } = await recorded(set, ({ code }) =>
        code === "limit_source");
      assertEquals(remote, "198.51.100.1:5000");
    }));

  test("gets the penalty for what it guesses, alone", () =>
    behindProxy({
      server: { penalties: { threshold: "2s" } },
    }, async (set) => {
      const reply = (host: string, name: string) =>
        sent(set, `${header(host)}${name}\r\n`);
      assert((await reply("198.51.100.1", "none")).startsWith("-"));
      assert((await reply("198.51.100.1", "hi")).startsWith("-Server busy"));
      assert((await reply("198.51.100.2", "hi")).startsWith("+"));
    }));

  test("leaves nothing counted when it has gone", () =>
    behindProxy({
      server: { max_connections_per_source: 1, max_handshakes: 1 },
    }, async (set) => {
      for (let i = 0; i < 4; i++) {
        const reply = await sent(set, `${header("198.51.100.1")}hi\r\n`);
        assertEquals(reply, "+Go\r\nhi\n");
        await until("it is recorded", () => set.records.length > i);
      }
    }));

  test("is what a function of the library sees", () => {
    let seen: unknown;
    return behindProxy({
      services: {
        who: (conn) => {
          seen = conn.remote;
        },
      },
    }, async (set) => {
      await sent(set, `${header("198.51.100.7")}who\r\n`);
      await recorded(set);
      assertEquals(seen, tcp("198.51.100.7", 5000));
    });
  });
});

describe("a proxy that announces nobody", () => {
  const local = "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
  for (
    const [name, head] of [
      ["LOCAL", local],
      ["UNKNOWN", "PROXY UNKNOWN 1.2.3.4 1.2.3.4 1 1\r\n"],
    ] as const
  ) {
    test(`by ${name} is served as itself, without limits of a source`, () =>
      behindProxy({
        server: { rate_per_source: "1/h", penalties: { exempt: [] } },
        services: { hi: { text: "hi\n", allow: ["127.0.0.1"] } },
      }, async (set) => {
        for (let i = 0; i < 3; i++) {
          assertEquals(await sent(set, `${head}hi\r\n`), "+Go\r\nhi\n");
        }
        const { remote, via } = await recorded(set);
        assertEquals(remote, via);
        assert(remote.startsWith("127.0.0.1:"));
      }));
  }

  test("as it says nothing at all is no fault: it looks whether we are there", () =>
    behindProxy({}, async (set) => {
      assertEquals(await sent(set, ""), "");
      assertEquals((await recorded(set)).code, "silence");
    }));
});

describe("a connection without a header that counts is closed", () => {
  const good = header("198.51.100.7");
  const cases: [string, string, RegExp, Record<string, unknown>?][] = [
    ["where there is none", "hi\r\n", /begins with other bytes/],
    ["where it is cut short", good.slice(0, 20), /ended within it/],
    ["where it is too long", `PROXY ${"x".repeat(200)}`, /more than 107/],
    [
      "where its checksum is wrong",
      header("198.51.100.7", 2).replace("\xc6", "\xc7"),
      /CRC32C/,
    ],
    [
      "where a stranger sends it",
      `${good}hi\r\n`,
      /^PROXY header: 127\.0\.0\.1 is not in server\.trusted_proxies$/,
      {
        trusted_proxies: ["192.0.2.0/24"],
      },
    ],
  ];
  for (const [name, request, why, server = {}] of cases) {
    test(name, () =>
      behindProxy({ server }, async (set) => {
        const got = await sent(set, request);
        assert(["", "reset"].includes(got), JSON.stringify(got));
        const { code, outcome, reason, service } = await recorded(set);
        assertEquals([code, outcome, service], [
          "proxy_error",
          "malformed",
          "",
        ]);
        assert(why.test(reason), reason);
      }));
  }

  test("where it does not come in time", () =>
    behindProxy({ server: { handshake_timeout: "50ms" } }, async (set) => {
      const conn = await set.connect(good.slice(0, 20));
      const record = await recorded(set);
      assertEquals(record.code, "proxy_error");
      assertEquals(record.reason, "PROXY header: it was not complete in time");
      conn.abort();
    }));

  test("and has no penalty for the proxy", () =>
    behindProxy({
      server: { penalties: { exempt: [], threshold: "1s" } },
    }, async (set) => {
      for (let i = 0; i < 5; i++) await sent(set, "none\r\n");
      assertEquals(await sent(set, `${good}hi\r\n`), "+Go\r\nhi\n");
    }));

  test("as the server stops", () =>
    behindProxy({}, async (set) => {
      const conn = await set.connect(good.slice(0, 9));
      await sent(set, `${good}hi\r\n`); // so the first one is being read, too
      set.server.close(5_000);
      const { code } = await recorded(set, ({ service }) => service === "");
      assertEquals(code, "draining");
      conn.abort();
    }));
});

test("the time for the header is a part of that for the request", () =>
  behindProxy({ server: { handshake_timeout: "300ms" } }, async (set) => {
    const conn = await set.connect("");
    const head = header("198.51.100.7");
    await conn.write(bytes(head.slice(0, 10)));
    await conn.write(bytes(head.slice(10)));
    const { code, remote } = await recorded(set);
    assertEquals([code, remote], ["timeout", "198.51.100.7:5000"]);
    conn.abort();
  }));

test("an address that is served has no scheme any more", () =>
  behindProxy({ server: { listen: "proxy://127.0.0.1:14" } }, (set) => {
    const [address] = set.server.addresses;
    assertEquals(Object.keys(address!).toSorted(), [
      "host",
      "port",
      "transport",
    ]);
    return Promise.resolve();
  }));

test("a Unix socket's proxy is trusted by the mode of its file", () =>
  inMemory({
    server: { listen: "proxy://unix:@proxy-header" },
    services: { hi: { text: "hi\n" } },
  }, async (set) => {
    const reply = await sent(set, `${header("198.51.100.7")}hi\r\n`);
    assertEquals(reply, "+Go\r\nhi\n");
    assertEquals((await recorded(set)).remote, "198.51.100.7:5000");
  }));

describe("a table with proxy://", () => {
  const refused = async (server: string, why: RegExp) => {
    const table = `[server]\n${server}\n`;
    const error = await assertRejects(() => serve(table), TableError);
    const [problem] = error.problems;
    assertEquals([problem?.line, problem?.key], [2, "server.listen"]);
    assert(why.test(problem!.message), problem!.message);
    const { errors } = await checkTable(table);
    assertEquals(errors.map(({ message }) => message), [problem!.message]);
  };

  test("needs trusted_proxies", () =>
    refused(
      'listen = "proxy://127.0.0.1:0"',
      /needs trusted_proxies in \[server\]/,
    ));

  test("needs certificates where TLS comes behind the header", async () => {
    const { errors } = await checkTable(
      "[server]\n" +
        'listen = "proxy+tls://127.0.0.1:0"\ntrusted_proxies = ["::1"]\n',
    );
    assertEquals(errors.map(({ line }) => line), [2]);
    assert(/needs \[server\.tls\] with cert and key/.test(errors[0]!.message));
  });

  test("is warned where it trusts proxies that nobody asks", async () => {
    const table =
      '[server]\nlisten = "127.0.0.1:0"\ntrusted_proxies = ["::1"]\n';
    const { errors, warnings } = await checkTable(table);
    assertEquals(errors, []);
    const found = warnings.find(({ key }) => key === "server.trusted_proxies");
    assert(/no address of listen begins with proxy:\/\//.test(found!.message));
  });

  test("has no second listener without it at the same address", async () => {
    const listen = ["proxy://127.0.0.1:10", "127.0.0.1:10"];
    await inMemory({ server: {}, services: {} }, async (set) => {
      await assertRejects(
        () =>
          set.server.reload({ server: { ...TRUSTED, listen }, services: {} }),
        Error,
        "two listeners of the table use it",
      );
    });
  });

  test("takes effect by a reload", () =>
    inMemory({
      server: { listen: "127.0.0.1:11" },
      services: { hi: { text: "hi\n" } },
    }, async (set) => {
      assertEquals(await sent(set, "hi\r\n"), "+Go\r\nhi\n");
      await set.server.reload({
        server: { ...TRUSTED, listen: "proxy://127.0.0.1:11" },
        services: { hi: { text: "hi\n" } },
      });
      assertEquals(
        await sent(set, `${header("198.51.100.7")}hi\r\n`),
        "+Go\r\nhi\n",
      );
      await sent(set, "hi\r\n");
      const { code } = await recorded(set, ({ service }) => service === "");
      assertEquals(code, "proxy_error");
    }));

  test("says no other version of the header than 1 and 2", () => {
    const table = '[services.a]\nconnect = "127.0.0.1:1"\nproxy_protocol = 3\n';
    try {
      parseTable(table, "f");
    } catch (error) {
      assert(error instanceof TableError);
      return assert(/is 3; allowed: 1 or 2/.test(error.message), error.message);
    }
    throw new Error("it was taken");
  });
});

describe("an upstream", () => {
  /** What an upstream gets first, as a header and what comes behind it. */
  async function announced(
    version: 1 | 2,
    service: (address: string) => Record<string, unknown>,
    request: string,
    ask: (set: InMemory, request: string) => Promise<unknown>,
    server: Record<string, unknown> = {},
  ) {
    return await inMemory({ services: {} }, async (set) => {
      const listener = await set.transport.listen(tcp("127.0.0.1", 12));
      await set.server.reload({
        server: { listen: "127.0.0.1:13", ...server },
        services: {
          up: { ...service("127.0.0.1:12"), proxy_protocol: version },
        },
      } as unknown as TableInput);
      const asking = ask(set, request);
      const conn = (await listener.accept())!;
      const reader = new ProxyHeaderReader();
      for (;;) {
        const state = reader.push((await conn.read())!);
        if (state.state === "more") continue;
        assert(state.state === "header", JSON.stringify(state));
        const { header, rest } = state;
        const line = rest.length > 0 ? text(rest) : await readLine(conn);
        await conn.write(bytes("+Go\r\nup\n"));
        conn.close();
        await asking;
        listener.close();
        found = { header, line, record: await recorded(set) };
        return;
      }
    });
  }
  let found: {
    header: { ends: unknown; facts: ProxyFacts; version: number };
    line: string;
    record: ConnectionRecord;
  };

  for (const version of [1, 2] as const) {
    test(`gets version ${version} first, and then the client's bytes`, async () => {
      const connect = (address: string) => ({ connect: address });
      await announced(version, connect, "up\r\nhello\r\n", sent);
      const { header, line, record } = found;
      assertEquals(line, "hello\r\n");
      const ends = header.ends as { remote: { port: number }; local: unknown };
      assertEquals(record.remote, `127.0.0.1:${ends.remote.port}`);
      assertEquals(ends.local, tcp("127.0.0.1", 13));
      const facts = version === 1
        ? {}
        : { authority: "up", uniqueId: record.uniqueId };
      assertEquals(header.facts, facts);
      const isNamed = /^[\da-f-]{36}$/.test(record.uniqueId ?? "");
      assertEquals(isNamed, version === 2);
    });

    test(`gets by version ${version} no address of a Unix socket's client`, async () => {
      const connect = (address: string) => ({ connect: address });
      const server = { listen: "unix:@proxy-header-out" };
      await announced(version, connect, "up\r\nhello\r\n", sent, server);
      const { header, line, record } = found;
      assertEquals(header, { version, ends: undefined, facts: {} });
      assertEquals([line, record.uniqueId], ["hello\r\n", undefined]);
    });

    test(`gets version ${version} before a service line`, async () => {
      const tcpmux = (address: string) => ({ tcpmux: `${address}/far` });
      await announced(version, tcpmux, "up\r\n", sent);
      assertEquals([found.header.version, found.line], [version, "far\r\n"]);
    });

    test(`gets by version ${version} what the proxy before has announced`, async () => {
      const connect = (address: string) => ({ connect: address });
      const server = { ...TRUSTED, listen: "proxy://127.0.0.1:13" };
      const request = `${header("198.51.100.7", 2)}up\r\nhello\r\n`;
      await announced(version, connect, request, sent, server);
      assertEquals(found.header.ends, {
        remote: tcp("198.51.100.7", 5000),
        local: tcp("192.0.2.1", 10001),
      });
      const { uniqueId } = found.header.facts;
      assertEquals(uniqueId, version === 2 ? "id" : undefined);
    });
  }
});
