/** A terminal keeps the modes that others have given it meanwhile. */
import { describe, test } from "node:test";
import { assertEquals, assertMatch } from "@std/assert";
import { answers, freePort } from "./support/daemon.ts";
import { needs } from "./support/needs.ts";
import { withScripted } from "./support/scripted.ts";
import { SharingProcess } from "./support/shared.ts";
import { until } from "./support/wait.ts";

/** Runs a command whose standard descriptors all are one terminal. */
async function onTerminal(
  words: readonly string[],
  use: (sharing: SharingProcess) => Promise<void>,
): Promise<void> {
  const sharing = new SharingProcess("012", "terminal", words);
  try {
    await use(sharing);
  } finally {
    await sharing.close();
  }
}

/**
 * Runs a client on a terminal. It has connected when `use` begins, and gets its
 * answer when `answer` is called.
 */
async function withClient(
  [command, ...rest]: readonly string[],
  use: (sharing: SharingProcess, answer: () => void) => Promise<void>,
): Promise<void> {
  let answer: (() => void) | undefined;
  await withScripted(
    (socket) => {
      socket.on("error", () => {}); // the client may be killed
      answer = () => socket.end(command === "list" ? "echo\r\n" : "+Go\r\nhi");
    },
    (port) =>
      onTerminal([command!, `127.0.0.1:${port}`, ...rest], async (sharing) => {
        await until("the client has connected", () => answer);
        await use(sharing, answer!);
      }),
  );
}

const CLIENTS = [["list"], ["probe"], ["probe", "echo"], ["connect", "echo"]];

describe("a terminal whose modes others have changed", needs("perl"), () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    test(`keeps them when ${signal} ends a server`, async () => {
      const port = await freePort();
      await onTerminal(
        ["forward", `${port}=x`, "127.0.0.1:1"],
        async (sharing) => {
          await until("it answers", () => answers(port));
          await sharing.quieten();
          await sharing.signal(signal);
          assertEquals(await sharing.ended(), "0 blocking quiet");
        },
      );
    });

    test(`keeps them when ${signal} ends a client`, async () => {
      for (const words of CLIENTS) {
        await withClient(words, async (sharing) => {
          await sharing.quieten();
          await sharing.signal(signal);
          assertMatch(
            await sharing.ended(),
            /^(130|by signal \d+) blocking quiet$/,
          );
        });
      }
    });
  }

  test("keeps them when a client ends by itself", async () => {
    for (const words of [["list"], ["probe", "echo"], ["connect", "echo"]]) {
      await withClient(words, async (sharing, answer) => {
        await sharing.quieten();
        sharing.startReading();
        answer();
        assertEquals(await sharing.ended(), "0 blocking quiet", words[0]);
      });
    }
  });
});
