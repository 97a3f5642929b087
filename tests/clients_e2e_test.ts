import { connect } from "node:net";
import { describe, test } from "node:test";
import { assertEquals, assertMatch } from "@std/assert";
import { needs } from "./support/needs.ts";
import { connectCommand, mustRun } from "./support/run.ts";
import { withServer } from "./support/server.ts";

const TABLE = `
[services.echo]
builtin = "echo"
[services.daytime]
builtin = "daytime"
[services.hidden]
builtin = "discard"
listed = false
[services.digest]
exec = ["sha256sum"]
`;

/** Sends the input, ends, and gives what came until the server's end. */
type Client = (port: number, input: string) => Promise<string>;

function program(...words: string[]): Client {
  return async (port, input) => {
    const command = words.map((word) => word.replace("PORT", String(port)));
    const { stdout } = await mustRun(command, { input });
    return stdout.toString("latin1");
  };
}

function socket(port: number, input: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    connect({ host: "127.0.0.1", port, allowHalfOpen: true })
      .on("data", (bytes) => chunks.push(bytes as Uint8Array))
      .on("end", () => resolve(Buffer.concat(chunks).toString("latin1")))
      .on("error", reject)
      .end(input);
  });
}

const clients: [string, Client, ...string[]][] = [
  ["nc", program("nc", "-N", "127.0.0.1", "PORT"), "nc"],
  ["ncat", program("ncat", "127.0.0.1", "PORT"), "ncat"],
  ["socat", program("socat", "-t30", "-", "TCP4:127.0.0.1:PORT"), "socat"],
  ["a plain socket", socket],
];

for (const [name, client, ...programs] of clients) {
  describe(`${name} as a client`, needs(...programs), () => {
    const large = "0123456789abcde\n".repeat(100_000);

    test("lists the services by HELP, in any case", () =>
      withServer(TABLE, async ({ port }) => {
        for (const word of ["HELP", "help", "Help"]) {
          assertEquals(
            await client(port, `${word}\r\n`),
            "echo\r\ndaytime\r\ndigest\r\n",
          );
        }
      }));

    test("gets its bytes back from echo, many or few", () =>
      withServer(TABLE, async ({ port }) => {
        for (const bytes of ["", "one line\n", large]) {
          assertEquals(
            await client(port, `echo\r\n${bytes}`),
            `+Go\r\n${bytes}`,
          );
        }
      }));

    test("gets the time from daytime, with a bare LF too", () =>
      withServer(TABLE, async ({ port }) => {
        for (const end of ["\r\n", "\n"]) {
          assertMatch(
            await client(port, `DayTime${end}`),
            /^\+Go\r\n\w+, \w+ \d+, \d{4} \d\d:\d\d:\d\d-UTC\r\n$/,
          );
        }
      }));

    test("is told no, in one line", () =>
      withServer(TABLE, async ({ port }) => {
        assertEquals(
          await client(port, `nothing\r\n${large.slice(0, 100_000)}`),
          "-Service not available\r\n",
        );
      }));
  });
}

describe("the shell as a client", needs("bash"), () => {
  test("needs no program at all", () =>
    withServer(TABLE, async ({ port }) => {
      const script = `exec 3<>/dev/tcp/127.0.0.1/${port}
printf 'HELP\\r\\n' >&3
cat <&3`;
      const { stdout } = await mustRun(["bash", "-c", script]);
      assertEquals(String(stdout), "echo\r\ndaytime\r\ndigest\r\n");
    }));
});

describe("the client of these tests", () => {
  test("is the connection once the reply is read", () =>
    withServer(TABLE, async ({ port }) => {
      const input = "x".repeat(1_000_000);
      const { stdout } = await mustRun(connectCommand(port, "digest"), {
        input,
      });
      const digest = await mustRun(["sha256sum"], { input });
      assertEquals(String(stdout), String(digest.stdout));
    }));
});
