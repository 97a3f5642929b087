// A web application that has no port: it is a service.
import { createServer } from "node:http";
import { getRequestListener } from "@hono/node-server";
import { Hono } from "hono";
import { serve, toSocket } from "../../mod.ts"; // elsewhere: "tcpmux"

const app = new Hono();
app.get("/", (c) => c.text("Hello by Hono\n"));
app.get("/hello/:name", (c) => c.text(`Hello, ${c.req.param("name")}\n`));

const web = createServer(getRequestListener(app.fetch));

await serve({
  server: { listen: "localhost:1078" },
  services: {
    web: (conn) => {
      const socket = toSocket(conn, { allowHalfOpen: true });
      web.emit("connection", socket);
      // The service is over when the function returns.
      return new Promise((resolve) => socket.once("close", () => resolve()));
    },
  },
});
console.log("The application is there.");
