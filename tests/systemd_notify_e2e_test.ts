/** What systemd is told of the server, and the log in its journal. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { ask, exchange } from "./support/client.ts";
import { needs } from "./support/needs.ts";
import { programNotifies, withNotified } from "./support/notified.ts";
import { run } from "./support/run.ts";
import { programUnderTest, withServer } from "./support/server.ts";
import { until } from "./support/wait.ts";

const TABLE = `
[services.about]
text = "about"
[services.echo]
builtin = "echo"
`;

const can = await programNotifies();
const options = can ? needs("python3") : { skip: "this Node cannot notify" };

describe("notifications of systemd", () => {
  for (const path of ["{}/notify", `@tcpmux-test-${crypto.randomUUID()}`]) {
    const kind = path.startsWith("@") ? "an abstract name" : "a path";
    test(
      `at ${kind}: ready, reloading, stopping, from the main process`,
      options,
      () =>
        withNotified(
          path,
          (notified) =>
            withServer(TABLE, async (server, folder) => {
              const { messages } = notified;
              const ready = await notified.told("READY", /^1$/);
              assertEquals(ready.pid, server.pid);
              assertEquals(ready.says.STATUS, "Serving 2 services, 0 sessions");

              let from = messages.length;
              server.signal("SIGHUP");
              const reloading = await notified.told("RELOADING", /^1$/, from);
              assertEquals(reloading.pid, server.pid);
              const time = Number(reloading.says.MONOTONIC_USEC);
              assert(ready.at < time && time <= reloading.at, `${time}`);
              assert((await notified.told("READY", /^1$/, from)).at > time);

              from = messages.length;
              const file = join(folder, "services.toml");
              const text = readFileSync(file, "utf8");
              writeFileSync(file, `${text}nonsense\n`);
              server.signal("SIGHUP");
              await notified.told("RELOADING", /^1$/, from);
              const failed = await notified.told("READY", /^1$/, from);
              assertMatch(
                failed.says.STATUS!,
                /^Serving 2 services, 0 sessions; not reloaded: .*services\.toml:\d+/,
              );

              from = messages.length;
              writeFileSync(file, text);
              server.signal("SIGHUP");
              await notified.told("STATUS", /sessions$/, from);
              const asked = await ask(server.port, "echo");
              await notified.told("STATUS", /, 1 session$/, from);

              from = messages.length;
              server.signal("SIGTERM");
              const stopping = await notified.told("STOPPING", /^1$/, from);
              assertEquals(stopping.says.STATUS, "Stopping, 1 session");
              asked.conn.close();
              assertEquals((await server.exited).code, 0);
            }, { env: { NOTIFY_SOCKET: notified.path } }),
        ),
    );
  }

  test(
    "the watchdog is fed from the event loop",
    options,
    () =>
      withNotified("{}/notify", (notified) =>
        withServer(TABLE, async () => {
          await until("it is fed", () =>
            notified.messages.filter(({ says }) =>
              says.WATCHDOG === "1"
            )
              .length > 3);
        }, {
          env: { NOTIFY_SOCKET: notified.path, WATCHDOG_USEC: "200000" },
        })),
  );

  test(
    "another process's watchdog is not fed",
    options,
    () =>
      withNotified(
        "{}/notify",
        (notified) =>
          withServer(TABLE, async (server) => {
            await notified.told("READY", /^1$/);
            const { conn } = await ask(server.port, "echo");
            await notified.told("STATUS", /, 1 session$/);
            conn.close();
            await notified.told("STATUS", /, 0 sessions$/, 1);
            assert(
              notified.messages.every(({ says }) => !("WATCHDOG" in says)),
            );
          }, {
            env: {
              NOTIFY_SOCKET: notified.path,
              WATCHDOG_USEC: "100000",
              WATCHDOG_PID: "1",
            },
          }),
      ),
  );

  test(
    "nobody takes them: one warning, and the service goes on",
    options,
    () =>
      withNotified(
        "{}/notify",
        (notified) =>
          withServer(TABLE, async (server) => {
            await notified.told("READY", /^1$/);
            notified.vanish();
            const count = () =>
              server.log.filter(({ message }) =>
                message === "systemd cannot be notified"
              ).length;
            for (let reloads = 1; reloads <= 3; reloads++) {
              server.signal("SIGHUP");
              await until("it is reloaded", () =>
                server.log.filter(({ message }) => message === "reloaded")
                  .length === reloads);
            }
            assertEquals(
              await exchange(server.port, "about\r\n"),
              "+Go\r\nabout",
            );
            assertEquals(count(), 1);
            assertEquals(await server.stop(), 0);
          }, { env: { NOTIFY_SOCKET: notified.path } }),
      ),
  );

  test("a runtime that cannot says so at the start", async () => {
    if (can) return;
    const { code, stderr } = await run([...programUnderTest(), "serve"], {
      env: { NOTIFY_SOCKET: "/run/systemd/notify" },
    });
    assertMatch(stderr, /Node from 26\.1 on.*Type=exec/);
    assertEquals(code, 78);
  });
});

describe("the journal of systemd", () => {
  const wrapped = (stream: string) => [
    "sh",
    "-c",
    `JOURNAL_STREAM=${stream} exec "$@"`,
    "sh",
    ...programUnderTest(),
  ];
  const journal = "$(stat -Lc %d:%i /proc/$$/fd/2)";

  test("priorities, and no time of our own", () =>
    withServer(TABLE, async (server) => {
      await exchange(server.port, "about\r\n");
      await until(
        "it is logged",
        () =>
          server.other.some((line) =>
            /^<6>connection conn=1 .*service=about/.test(line)
          ),
      );
      server.signal("SIGTERM");
      await server.exited;
      const odd = server.other.filter((line) => !/^<[3467]>[a-z]/.test(line));
      assertEquals(odd, []);
    }, { program: wrapped(journal), format: "text" }));

  test("somewhere else: as ever", () =>
    withServer(TABLE, async (server) => {
      await exchange(server.port, "about\r\n");
      await until("it is logged", () =>
        server.other.some((line) =>
          /^\d{4}-\d\d-\d\dT\S+ info +connection/.test(line)
        ));
    }, { program: wrapped("8:1"), format: "text" }));
});
