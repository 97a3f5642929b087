/**
 * The client's commands of tcpmux: connect and list.
 *
 * @module
 */
import { main } from "./src/cli/main.ts";

await main();
