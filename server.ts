/**
 * The commands of the server's side: serve, which is the default, those that are
 * about tables and certificates, and those that ask and steer a server. The
 * library is mod.ts.
 *
 * @module
 */
import { main } from "./src/cli/main.ts";

await main([
  "serve",
  "check",
  "explain",
  "import",
  "export",
  "cert",
  "status",
  "sessions",
  "reload",
  "disable",
  "enable",
  "kill",
  "drain",
]);
