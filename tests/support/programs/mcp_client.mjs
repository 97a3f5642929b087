// Reads a file by a server of the Model Context Protocol:
// node mcp_client.mjs FILE COMMAND [WORDS]
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";

const [path, command, ...args] = process.argv.slice(2);
const client = new Client({ name: "tcpmux-test", version: "1.0.0" });
await client.connect(
  new StdioClientTransport({ command, args, env: process.env }),
);
const { tools } = await client.listTools();
const tool = tools.find(({ name }) => name === "read_text_file").name;
const read = await client.callTool({ name: tool, arguments: { path } });
console.log(`${tool}: ${read.content[0].text}`);
await client.close();
