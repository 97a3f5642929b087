// The least that a relay can do with node:net: no time-outs, no limits, no
// log, no second thought. What tcpmux adds is measured against it.
import { connect, createServer } from "node:net";
import { listen, PLUS, wanted } from "./table.mjs";

const options = { allowHalfOpen: true, noDelay: true };

createServer(options, (client) => {
  client.on("error", () => {});
  client.once("data", (bytes) => {
    client.pause();
    const upstream = wanted(bytes);
    if (upstream === undefined) return client.destroy();
    const peer = connect({ ...options, ...upstream }, () => {
      client.write(PLUS);
      client.pipe(peer);
      peer.pipe(client);
    });
    peer.on("error", () => client.destroy());
  });
}).listen(listen.port, listen.host);
