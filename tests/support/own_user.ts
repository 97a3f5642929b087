import { createServer } from "node:net";
import { until } from "./wait.ts";

/** Users of every Debian who run nothing. */
const USERS = ["games", "news", "uucp", "irc"];

/**
 * Runs `use` with a user of this machine whom no other test has at the same
 * time, of this run or another one: what its programs take counts together.
 */
export async function withOwnUser(
  use: (user: string) => Promise<void>,
): Promise<void> {
  const { user, release } = await until("a user is free", async () => {
    for (const [i, user] of USERS.entries()) {
      const release = await hold(`127.10.78.${i + 1}`);
      if (release !== undefined) return { user, release };
    }
  }, 300_000);
  try {
    await use(user);
  } finally {
    release();
  }
}

/** A listener is a lock that goes with its process, however that ends. */
function hold(host: string): Promise<(() => void) | undefined> {
  return new Promise((resolve, reject) => {
    const listener = createServer();
    listener.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE") resolve(undefined);
      else reject(error);
    });
    listener.listen(
      { host, port: 10780 },
      () => resolve(() => listener.close()),
    );
  });
}
