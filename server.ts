/**
 * The commands of the server's side: serve, which is the default, check and import.
 * The library is mod.ts.
 *
 * @module
 */
import { main } from "./src/cli/main.ts";

await main(["serve", "check", "import"]);
