// The least that a relay can do with Deno's own sockets: no time-outs, no
// limits, no log, no second thought. What tcpmux adds is measured against it.
import { listen, PLUS, wanted } from "./table.mjs";

const BUFFER = 64 * 1024;

async function pump(from, to) {
  const buffer = new Uint8Array(BUFFER);
  for (let count; (count = await from.read(buffer)) !== null;) {
    for (let at = 0; at < count;) {
      at += await to.write(buffer.subarray(at, count));
    }
  }
  await to.closeWrite();
}

async function serve(client) {
  client.setNoDelay(true);
  const line = new Uint8Array(256);
  const { host, port } = wanted(line.subarray(0, await client.read(line)));
  const peer = await Deno.connect({ hostname: host, port });
  peer.setNoDelay(true);
  await client.write(PLUS);
  await Promise.all([pump(client, peer), pump(peer, client)]);
  client.close();
  peer.close();
}

const { host: hostname, port } = listen;
for await (const client of Deno.listen({ hostname, port })) {
  serve(client).catch(() => client.close());
}
