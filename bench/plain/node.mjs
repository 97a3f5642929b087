// The least that a server can do with node:net: no time-outs, no limits, no
// log, no second thought. What tcpmux adds is measured against it.
import { spawn } from "node:child_process";
import { connect, createServer } from "node:net";
import { handsSocket, listen, PLUS, wanted } from "./table.mjs";

const options = { allowHalfOpen: true, noDelay: true };

createServer(options, (client) => {
  client.on("error", () => {});
  client.once("data", (bytes) => {
    client.pause();
    const { text, upstream, exec } = wanted(bytes);
    if (text !== undefined) client.end(text);
    else if (upstream !== undefined) relay(client, upstream);
    else if (handsSocket) handOver(client, exec);
    else pipe(client, exec);
  });
}).listen(listen.port, listen.host);

function relay(client, upstream) {
  const peer = connect({ ...options, ...upstream }, () => {
    client.write(PLUS);
    client.pipe(peer);
    peer.pipe(client);
  });
  peer.on("error", () => client.destroy());
}

function handOver(client, [program, ...args]) {
  client.write(PLUS, () => {
    spawn(program, args, { stdio: [client, client, client] });
    client.destroy();
  });
}

function pipe(client, [program, ...args]) {
  const stdio = ["pipe", "pipe", "ignore"];
  const { stdin, stdout } = spawn(program, args, { stdio });
  stdin.on("error", () => {});
  client.write(PLUS);
  client.pipe(stdin);
  stdout.pipe(client);
}
