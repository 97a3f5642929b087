/** Who may use what: real clients of several addresses. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { assertEquals } from "@std/assert";
import { exchange } from "./support/client.ts";
import { needs } from "./support/needs.ts";
import { exchangeFrom, Netcat } from "./support/netcat.ts";
import { portOf, withCommand } from "./support/running.ts";
import { withServer } from "./support/server.ts";

const BOTH_FAMILIES = { args: ["--listen", "[::]:0"] };
const NOT_AVAILABLE = "-Service not available\r\n";

const TABLE = `
[server]
deny = ["127.0.1.0/24"]
[services.open]
text = "open"
[services.some]
text = "some"
allow = ["127.0.0.1", "::1"]
[services.six]
text = "six"
allow = ["::/1"]
[services.most]
text = "most"
deny = ["127.0.0.2"]
`;

/** What each client may use, and why it may not use the rest. */
const CLIENTS: [string, Record<string, string | undefined>][] = [
  ["127.0.0.1", {
    open: undefined,
    some: undefined,
    six: "127.0.0.1 is not in allow of six",
    most: undefined,
  }],
  ["127.0.0.2", {
    open: undefined,
    some: "127.0.0.2 is not in allow of some",
    six: "127.0.0.2 is not in allow of six",
    most: "127.0.0.2 is in deny of most",
  }],
  ["127.0.1.1", {
    open: "127.0.1.1 is in server.deny",
    some: "127.0.1.1 is in server.deny",
    six: "127.0.1.1 is in server.deny",
    most: "127.0.1.1 is in server.deny",
  }],
  ["::1", {
    open: undefined,
    some: undefined,
    six: undefined,
    most: undefined,
  }],
];

describe("allow and deny", needs("nc"), () => {
  for (const [from, services] of CLIENTS) {
    test(`for ${from}: in HELP, in the reply and in the log`, () =>
      withServer(TABLE, async (server) => {
        const host = from.includes(":") ? "::1" : "127.0.0.1";
        const said = (request: string) =>
          exchangeFrom(from, server.port, request, host);
        const open = Object.keys(services)
          .filter((name) => services[name] === undefined);
        const help = open.map((name) => `${name}\r\n`).join("");
        assertEquals(await said("HELP\r\n"), help);
        const unknown = await said("nothing\r\n");
        assertEquals(unknown, NOT_AVAILABLE);
        for (const [name, reason] of Object.entries(services)) {
          const reply = await said(`${name}\r\n`);
          if (reason === undefined) {
            assertEquals(reply, `+Go\r\n${name}`);
            continue;
          }
          assertEquals(reply, unknown);
          await server.logged(
            "connection",
            (line) => line.outcome === "denied" && line.reason === reason,
          );
        }
      }, BOTH_FAMILIES));
  }

  test("a name that is denied is denied in any case, and by its alias", () =>
    withServer(
      '[services.Secret]\ntext = "x"\naliases = ["hidden"]\n' +
        'deny = ["any"]\n',
      async ({ port }) => {
        for (const name of ["Secret", "SECRET", "hidden", "nothing"]) {
          assertEquals(await exchange(port, `${name}\r\n`), NOT_AVAILABLE);
        }
      },
    ));

  test("an IPv4 client is one, on a listener for both families too", () =>
    withServer(
      '[services.four]\ntext = "four"\nallow = ["127.0.0.0/8"]\n' +
        'deny = ["::ffff:127.0.0.2"]\n',
      async (server) => {
        const said = (from: string, host?: string) =>
          exchangeFrom(from, server.port, "four\r\n", host);
        assertEquals(await said("127.0.0.1"), "+Go\r\nfour");
        const { remote } = await server.record("four");
        assertEquals(String(remote).replace(/:\d+$/, ""), "127.0.0.1");
        assertEquals(await said("127.0.0.2"), NOT_AVAILABLE);
        assertEquals(await said("::1", "::1"), NOT_AVAILABLE);
      },
      BOTH_FAMILIES,
    ));
});

describe("hours", () => {
  const day = (offset: number) =>
    new Intl.DateTimeFormat("en-US", { weekday: "short", timeZone: "UTC" })
      .format(Date.now() + offset * 24 * 3_600_000).toLowerCase();

  test("open a service, close another, and hide it", () => {
    // A day before and behind, lest it be midnight in between.
    const open = `${day(-1)},${day(0)},${day(1)}`;
    return withServer(
      '[server]\ntime_zone = "UTC"\n[services.open]\ntext = "open"\n' +
        `hours = ["${open} 00:00-24:00"]\n[services.closed]\ntext = "x"\n` +
        `hours = ["${day(3)} 00:00-24:00"]\n`,
      async (server) => {
        assertEquals(await exchange(server.port, "HELP\r\n"), "open\r\n");
        assertEquals(await exchange(server.port, "open\r\n"), "+Go\r\nopen");
        assertEquals(await exchange(server.port, "closed\r\n"), NOT_AVAILABLE);
        await server.logged(
          "connection",
          ({ outcome, reason }) =>
            outcome === "denied" &&
            reason === "the service closed is outside its hours",
        );
      },
    );
  });
});

describe("a reload", needs("nc"), () => {
  test("changes lists and limits for new clients only", () =>
    withServer(
      '[services.echo]\nbuiltin = "echo"\n',
      async (server, folder) => {
        const clients = ["127.0.0.1", "127.0.0.2", "127.0.0.2"]
          .map((from) => new Netcat(server.port, from));
        for (const client of clients) {
          client.send("echo\r\n");
          assertEquals(await client.line(), "+Go");
        }
        writeFileSync(
          join(folder, "services.toml"),
          "[server]\nmax_connections_per_source = 1\n" +
            '[services.echo]\nbuiltin = "echo"\ndeny = ["127.0.0.3"]\n',
        );
        server.signal("SIGHUP");
        await server.logged("reloaded");
        const said = (from: string) =>
          exchangeFrom(from, server.port, "echo\r\n");
        assertEquals(await said("127.0.0.3"), NOT_AVAILABLE);
        assertEquals(
          await said("127.0.0.2"),
          "-Server busy, try again later\r\n",
        );
        assertEquals(await said("127.0.0.4"), "+Go\r\n");
        for (const client of clients) {
          client.send("still here\n");
          client.end();
          assertEquals(await client.all(), "+Go\r\nstill here\n");
        }
      },
    ));
});

describe("the file of forward", needs("nc"), () => {
  test("has allow, deny and limits of its own", () =>
    withServer(
      '[services.echo]\nbuiltin = "echo"\n',
      ({ port }) =>
        withCommand((folder) => {
          const file = join(folder, "forwards.toml");
          writeFileSync(
            file,
            `[server]\ndefault_server = "127.0.0.1:${port}"\n` +
              'allow = ["127.0.0.0/24"]\ndeny = ["127.0.0.2"]\n' +
              "max_connections_per_source = 1\n" +
              '[forward.echo]\nlisten = "127.0.0.1:0"\n',
          );
          return ["forward", "--json", "--config", file];
        }, async (forward) => {
          const { forwards } = await forward.ready<
            { forwards: { listen: string }[] }
          >();
          const local = portOf(forwards[0]!.listen);
          const said = (from: string) => exchangeFrom(from, local, "through");
          const refused = (outcome: string, reason: string) =>
            forward.logged(
              "connection",
              (line) => line.outcome === outcome && line.reason === reason,
            );
          assertEquals(await said("127.0.0.1"), "through");
          assertEquals(await said("127.0.0.2"), "");
          await refused("denied", "127.0.0.2 is in server.deny");
          assertEquals(await said("127.0.1.1"), "");
          await refused("denied", "127.0.1.1 is not in server.allow");
          const first = new Netcat(local, "127.0.0.3");
          first.send("first\n");
          assertEquals(await first.line(), "first");
          assertEquals(await said("127.0.0.3"), "");
          await refused("busy", "max_connections_per_source is reached");
          assertEquals(await said("127.0.0.4"), "through");
          await first.leave();
        }),
    ));
});
