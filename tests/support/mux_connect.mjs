// Speaks a service's name, takes the reply, and is the connection from then
// on: node mux_connect.mjs PORT SERVICE
import { connect } from "node:net";

const [port, service] = process.argv.slice(2);
const socket = connect({
  host: "127.0.0.1",
  port: Number(port),
  allowHalfOpen: true,
});
let held = Buffer.alloc(0);
socket.write(`${service}\r\n`);
socket.on("data", function reply(bytes) {
  held = Buffer.concat([held, bytes]);
  const end = held.indexOf("\n");
  if (end < 0) return;
  if (held[0] !== 0x2b) {
    process.stderr.write(held);
    process.exit(69);
  }
  socket.off("data", reply);
  process.stdout.write(held.subarray(end + 1));
  socket.pipe(process.stdout);
  process.stdin.pipe(socket);
});
socket.on("error", (error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(74);
});
