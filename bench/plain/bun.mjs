// The least that a server can do with Bun's own sockets: no time-outs, no
// limits, no log, no second thought. What tcpmux adds is measured against it.
import { handsSocket, listen, PLUS, wanted } from "./table.mjs";

const socket = {
  binaryType: "uint8array",
  open(socket) {
    socket.data ??= { peer: undefined, rest: undefined };
  },
  data(socket, bytes) {
    const { peer } = socket.data;
    if (peer === undefined) begin(socket, wanted(bytes));
    else write(peer, bytes, socket);
  },
  drain(socket) {
    socket.data.drained?.();
    const source = socket.data.peer;
    const rest = source?.data?.rest;
    if (rest === undefined) return;
    source.data.rest = undefined;
    if (write(socket, rest, source)) source.resume();
  },
  end: (socket) => socket.data.peer?.shutdown(),
  close: (socket) => socket.data.peer?.end(),
  error() {},
};

function begin(client, { text, upstream, exec }) {
  if (upstream !== undefined) return connect(client, upstream);
  if (exec !== undefined) return (handsSocket ? handOver : pipe)(client, exec);
  client.write(text);
  client.end();
}

async function connect(client, upstream) {
  const peer = await Bun.connect({
    hostname: upstream.host,
    port: upstream.port,
    allowHalfOpen: true,
    data: { peer: client, rest: undefined },
    socket,
  });
  client.data.peer = peer;
  client.write(PLUS);
}

function handOver(client, cmd) {
  client.pause();
  client.write(PLUS);
  const { fd } = client;
  Bun.spawn({ cmd, stdio: [fd, fd, fd] });
  client.close();
}

/** A program's standard input takes the place of an upstream's socket. */
async function pipe(client, cmd) {
  const { stdin, stdout } = Bun.spawn({
    cmd,
    stdio: ["pipe", "pipe", "ignore"],
  });
  client.data.peer = {
    write(bytes) {
      stdin.write(bytes);
      const flushed = stdin.flush();
      if (!(flushed instanceof Promise)) return bytes.length;
      client.pause();
      flushed.then(() => client.resume());
      return bytes.length;
    },
    shutdown: () => stdin.end(),
    end: () => stdin.end(),
  };
  client.write(PLUS);
  for await (const bytes of stdout) {
    for (let rest = bytes;;) {
      const count = client.write(rest);
      if (count < 0 || count === rest.length) break;
      rest = rest.subarray(count);
      await new Promise((drained) => client.data.drained = drained);
    }
  }
  client.end();
}

function write(sink, bytes, source) {
  const count = sink.write(bytes);
  if (count === bytes.length || count < 0) return true;
  source.data.rest = bytes.subarray(count);
  source.pause();
  return false;
}

Bun.listen({
  hostname: listen.host,
  port: listen.port,
  allowHalfOpen: true,
  data: undefined,
  socket,
});
