// A chat: what one sends, all others get.
import { serve, type StreamConn } from "../../mod.ts"; // elsewhere: "tcpmux"

const people = new Set<StreamConn>();

await serve({
  server: { listen: "localhost:1078", stall_timeout: "10s" },
  services: {
    chat: async (me) => {
      people.add(me);
      try {
        await me.write(new TextEncoder().encode(`${people.size} here\n`));
        for await (const words of me) {
          const others = [...people].filter((one) => one !== me);
          // Whoever has gone meanwhile is taken out by a loop of its own.
          await Promise.allSettled(others.map((one) => one.write(words)));
        }
      } finally {
        people.delete(me);
      }
    },
  },
});
console.log("The chat is open.");
