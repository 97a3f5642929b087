import { createHash } from "node:crypto";
import { createServer, type Server, type Socket } from "node:net";

/** The existing servers that `connect` leads to. */
export class Upstreams {
  readonly echo = createServer({ allowHalfOpen: true }, echo);
  readonly digest = createServer({ allowHalfOpen: true }, digest);

  /** @returns the ports */
  async listen(): Promise<{ echo: number; digest: number }> {
    return { echo: await open(this.echo), digest: await open(this.digest) };
  }

  close(): void {
    this.echo.close();
    this.digest.close();
  }
}

function open(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      resolve((server.address() as { port: number }).port);
    });
  });
}

function echo(socket: Socket): void {
  socket.on("error", () => {}); // the client broke off, as many do here
  socket.pipe(socket);
}

/** Says at the end what came, as sha256sum does. */
function digest(socket: Socket): void {
  const hash = createHash("sha256");
  socket.on("error", () => {});
  socket.on("data", (bytes) => hash.update(bytes));
  socket.on("end", () => socket.end(`${hash.digest("hex")}  -\n`));
}
