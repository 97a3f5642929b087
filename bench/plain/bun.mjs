// The least that a relay can do with Bun's own sockets: no time-outs, no
// limits, no log, no second thought. What tcpmux adds is measured against it.
import { listen, PLUS, wanted } from "./table.mjs";

const socket = {
  binaryType: "uint8array",
  open(socket) {
    socket.data ??= { peer: undefined, rest: undefined };
  },
  data(socket, bytes) {
    const { peer } = socket.data;
    if (peer === undefined) connect(socket, wanted(bytes));
    else write(peer, bytes, socket);
  },
  drain(socket) {
    const source = socket.data.peer;
    const rest = source?.data.rest;
    if (rest === undefined) return;
    source.data.rest = undefined;
    if (write(socket, rest, source)) source.resume();
  },
  end: (socket) => socket.data.peer?.shutdown(),
  close: (socket) => socket.data.peer?.end(),
  error() {},
};

async function connect(client, upstream) {
  if (upstream === undefined) return client.terminate();
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
