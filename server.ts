/**
 * The commands of the server's side: serve, which is the default, and check.
 * The library is mod.ts.
 *
 * @module
 */
import { main } from "./src/cli/main.ts";

await main(["serve", "check"]);
