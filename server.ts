/**
 * `tcpmux serve` alone: serves the embedded table, or the one of `--config`.
 *
 * @module
 */
import { main } from "./src/cli/main.ts";

await main();
