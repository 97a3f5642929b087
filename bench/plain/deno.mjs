// The least that a server can do with Deno's own sockets: no time-outs, no
// limits, no log, no second thought. What tcpmux adds is measured against it.
import { listen, PLUS, wanted } from "./table.mjs";

/** While little comes, and once much has: who is idle holds a buffer too. */
const SMALL = 1024;
const BUFFER = 64 * 1024;

async function pump(from, to) {
  let buffer = new Uint8Array(SMALL);
  for (let count; (count = await from.read(buffer)) !== null;) {
    await write(to, buffer.subarray(0, count));
    if (count === SMALL) buffer = new Uint8Array(BUFFER);
  }
  await to.closeWrite();
}

async function write(to, bytes) {
  for (let at = 0; at < bytes.length;) at += await to.write(bytes.subarray(at));
}

async function serve(client) {
  client.setNoDelay(true);
  const line = new Uint8Array(256);
  const { text, upstream, exec } = wanted(
    line.subarray(0, await client.read(line)),
  );
  if (text !== undefined) {
    await write(client, text);
    client.close();
  } else if (upstream !== undefined) await relay(client, upstream);
  else await pipe(client, exec);
}

async function relay(client, { host, port }) {
  const peer = await Deno.connect({ hostname: host, port });
  peer.setNoDelay(true);
  await client.write(PLUS);
  await Promise.all([pump(client, peer), pump(peer, client)]);
  client.close();
  peer.close();
}

async function pipe(client, [program, ...args]) {
  const stdio = { stdin: "piped", stdout: "piped", stderr: "null" };
  const child = new Deno.Command(program, { args, ...stdio }).spawn();
  await client.write(PLUS);
  client.readable.pipeTo(child.stdin).catch(() => {});
  await child.stdout.pipeTo(client.writable);
}

const { host: hostname, port } = listen;
for await (const client of Deno.listen({ hostname, port })) {
  serve(client).catch(() => {
    try {
      client.close();
    } catch {
      // It was closed already.
    }
  });
}
