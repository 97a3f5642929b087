/** A server that is started by a program that ignores SIGCHLD, as some do. */
import { describe, test } from "node:test";
import { assertEquals } from "@std/assert";
import { exchange } from "./support/client.ts";
import { needs } from "./support/needs.ts";
import { programUnderTest, withServer } from "./support/server.ts";

describe("with SIGCHLD ignored from the start", needs("perl"), () => {
  test("the status of a program is known, and the next one runs", () =>
    withServer(
      '[services.three]\nexec = ["sh", "-c", "echo three; exit 3"]\n',
      async (server) => {
        for (let i = 0; i < 2; i++) {
          const said = await exchange(server.port, "three\r\n");
          assertEquals(said, "+Go\r\nthree\n");
        }
        const { reason } = await server.record("three");
        assertEquals(reason, "the program exited with status 3");
      },
      {
        program: [
          ...["perl", "-e", '$SIG{CHLD} = "IGNORE"; exec @ARGV'],
          ...programUnderTest(),
        ],
      },
    ));
});
