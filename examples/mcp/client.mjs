// Reads a file by an MCP server, which is a service of another machine.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";

const client = new Client({ name: "example", version: "1.0.0" });
await client.connect(
  new StdioClientTransport({
    command: "tcpmux",
    args: ["connect", "localhost:1078", "files"],
  }),
);
const { content } = await client.callTool({
  name: "read_text_file",
  arguments: { path: "hello.txt" },
});
console.log(content[0].text.trim());
await client.close();
