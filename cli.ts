/**
 * All commands, and nothing else: the bundle and the binaries are built of
 * this file. The library is mod.ts.
 *
 * @module
 */
import { main } from "./src/cli/main.ts";

await main();
