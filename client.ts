/**
 * The commands of the client's side: connect, list, forward, proxy, probe and
 * completions. The library is mod.ts.
 *
 * @module
 */
import { main } from "./src/cli/main.ts";

await main([
  "connect",
  "list",
  "forward",
  "proxy",
  "probe",
  "completions",
]);
