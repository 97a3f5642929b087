/**
 * Serves at an address, asks for its list at each of the others, and prints
 * where it listens and who answered. A program, for a network of its own.
 */
import process from "node:process";
import { formatEndpoint, list, serve } from "../../mod.ts";

const [listen, ...asked] = process.argv.slice(2);
const server = await serve(
  {
    server: listen === "" ? {} : { listen: listen! },
    services: { here: { text: "x" } },
  },
  { log() {} },
);
const answers = await Promise.all(asked.map(async (address) => {
  try {
    return (await list(address)).join();
  } catch (error) {
    return String(error);
  }
}));
console.log(
  JSON.stringify([server.addresses.map(formatEndpoint).toSorted(), answers]),
);
process.exit();
