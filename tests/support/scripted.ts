import { createServer, type Socket } from "node:net";

/** What a server does with a connection. */
export type Script = (socket: Socket) => void;

/**
 * Runs `use` with a plain server of the kind that a client may meet, given
 * its port. Connections still open afterwards are cut.
 */
export async function withScripted(
  script: Script,
  use: (port: number) => Promise<void>,
  { host = "127.0.0.1", port = 0 } = {},
): Promise<void> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => {}); // the client went away
    script(socket);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  try {
    await use((server.address() as { port: number }).port);
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
}

/** Waits for the service line, and gives it with what came behind it. */
export function asked(
  socket: Socket,
  then: (line: string, rest: string) => void,
): void {
  let all = "";
  const take = (bytes: unknown) => {
    all += (bytes as Buffer).toString("latin1");
    const end = all.indexOf("\n");
    if (end < 0) return;
    socket.off("data", take);
    then(all.slice(0, end).replace(/\r$/, ""), all.slice(end + 1));
  };
  socket.on("data", take);
}

/** Answers any request with this, and ends its side. */
export function says(answer: string): Script {
  return (socket) =>
    asked(socket, () => socket.resume().end(Buffer.from(answer, "latin1")));
}

/** Answers with this, and then with as much of a line as is taken. */
export function saysOnAndOn(begin: string): Script {
  return (socket) =>
    asked(socket, () => {
      const more = () => {
        while (!socket.destroyed && socket.write("a".repeat(65_536)));
      };
      socket.write(begin);
      socket.on("drain", more);
      more();
    });
}

/** Reads everything and never says a word. */
export function saysNothing(socket: Socket): void {
  socket.resume();
}
