/** Tools for machines and programmers: NRPE, ident, distcc, MCP, LSP. */
import { chmodSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { assertEquals, assertMatch } from "@std/assert";
import { ROOT } from "../server.ts";
import { client, type ServedProgram, talk } from "./program.ts";

const CHECK_NRPE = "/usr/lib/nagios/plugins/check_nrpe";

const nrpe: ServedProgram = {
  name: "nrpe",
  title: "NRPE, `nrpe -i`",
  packages: ["nagios-nrpe-server", "nagios-nrpe-plugin"],
  needs: ["nrpe", CHECK_NRPE],
  asRoot: true,
  exec: (file) => [
    ...["/usr/sbin/nrpe", "-i", "-c"],
    file("nrpe/config", "/etc/nagios/nrpe.cfg"),
  ],
  keys: () => ['user = "nobody"'],
  note: "It refuses to run as root: set `user`.",
  prepare(folder) {
    writeFileSync(
      join(folder, "nrpe/config"),
      `nrpe_user=nobody
nrpe_group=nogroup
allowed_hosts=127.0.0.1,::1
command[hello]=/bin/echo OK hello
`,
      { mode: 0o644 },
    );
  },
  async use({ port }) {
    const words = [
      CHECK_NRPE,
      "-H",
      "127.0.0.1",
      "-p",
      String(port),
      "-t",
      "10",
    ];
    assertEquals(await client([...words, "-c", "hello"]), "OK hello\n");
  },
};

const oidentd: ServedProgram = {
  name: "ident",
  title: "oidentd, `oidentd -I`",
  packages: ["oidentd"],
  needs: ["oidentd"],
  exec: () => ["/usr/sbin/oidentd", "-I", "-S"],
  not: { pipe: "it asks the socket for the client's IP address" },
  prepare() {},
  async use({ port }) {
    const user = (await client(["id", "-un"])).trim();
    const server = createServer();
    await new Promise<void>((resolve) =>
      server.listen(0, "127.0.0.1", resolve)
    );
    const { port: there } = server.address() as { port: number };
    const socket = connect(there, "127.0.0.1");
    await new Promise((resolve) => socket.once("connect", resolve));
    try {
      const query = `${socket.localPort}, ${there}\r\n`;
      const said = await talk(port, [query, /.*\n/]);
      assertMatch(said, new RegExp(`USERID *: *UNIX *: *${user}\\s`));
    } finally {
      socket.destroy();
      server.close();
    }
  },
};

const distccd: ServedProgram = {
  name: "distcc",
  title: "distcc, `distccd --inetd`",
  packages: ["distcc", "gcc"],
  needs: ["distccd", "distcc", "gcc"],
  exec: () => ["/usr/bin/distccd", "--inetd", "--allow=127.0.0.1"],
  keys: (
    file,
  ) => [`env = { TMPDIR = ${JSON.stringify(file("distcc", "/tmp"))} }`],
  not: { pipe: "it asks the socket for the client's IP address" },
  // As root, it becomes the user distccd.
  prepare: (folder) => chmodSync(join(folder, "distcc"), 0o1777),
  async use({ folder, port }) {
    const [source, object] = ["c", "o"].map((end) =>
      join(folder, `distcc/source-${port}.${end}`)
    ) as [string, string];
    writeFileSync(source, "int main(void) { return 42; }\n");
    const env = {
      ...{ DISTCC_HOSTS: `127.0.0.1:${port}`, DISTCC_FALLBACK: "0" },
      ...{ DISTCC_DIR: join(folder, "distcc"), DISTCC_SKIP_LOCAL_RETRY: "1" },
    };
    await client(["distcc", "gcc", "-c", source, "-o", object], { env });
    assertMatch(await client(["nm", object]), / T main\n/);
  },
};

const mcp: ServedProgram = {
  name: "mcp",
  title: "A server of the Model Context Protocol",
  packages: ["npm: @modelcontextprotocol/server-filesystem"],
  needs: ["node"],
  exec: (file) => [
    "node",
    file(
      "../server-filesystem",
      "/usr/local/lib/node_modules/@modelcontextprotocol/server-filesystem/dist/index.js",
    ),
    file("mcp", "/srv/files"),
  ],
  keys: () => [`on_client_end = "terminate"`],
  note: "Its client starts `tcpmux connect HOST mcp` as its server.",
  prepare(folder) {
    writeFileSync(join(folder, "mcp/hello.txt"), "Hello from afar.\n");
  },
  async use({ folder, words }) {
    const script = join(ROOT, "tests/support/programs/mcp_client.mjs");
    const file = join(folder, "mcp/hello.txt");
    const said = await client(["node", script, file, ...words]);
    assertEquals(said, "read_text_file: Hello from afar.\n\n");
  },
};

/** A message of the Language Server Protocol. */
function message(body: Record<string, unknown>): string {
  const text = JSON.stringify({ jsonrpc: "2.0", ...body });
  return `Content-Length: ${text.length}\r\n\r\n${text}`;
}

const lsp: ServedProgram = {
  name: "lsp",
  title: "A language server, `tsc --lsp --stdio`",
  packages: ["npm: typescript"],
  needs: [],
  exec: (file) => [
    file("../tsc", "/usr/local/bin/tsc"),
    ...["--lsp", "--stdio"],
  ],
  keys: () => [`on_client_end = "terminate"`],
  prepare() {},
  async use({ folder, port }) {
    const uri = `file://${join(folder, "lsp/a.ts")}`;
    const text = `const answer: number = 42;\nanswer;\n`;
    await talk(port, [
      message({
        id: 1,
        method: "initialize",
        params: { processId: null, rootUri: null, capabilities: {} },
      }),
      ...[/"id":1/, /hoverProvider/],
      message({ method: "initialized", params: {} }),
      message({
        method: "textDocument/didOpen",
        params: {
          textDocument: { uri, languageId: "typescript", version: 1, text },
        },
      }),
      message({
        id: 2,
        method: "textDocument/hover",
        params: {
          textDocument: { uri },
          position: { line: 1, character: 2 },
        },
      }),
      // It asks first for what its client can do.
      /"id":"ts1"/,
      message({ id: "ts1", result: null }),
      /const answer: number/,
      message({ id: 3, method: "shutdown" }),
      /"id":3/,
    ]);
  },
};

export const TOOLS: readonly ServedProgram[] = [
  ...[nrpe, oidentd, distccd, mcp, lsp],
];

/** Where npm has put what is served here. */
export function npmFile(name: string): string | undefined {
  const { platform, arch } = process;
  const packages: Record<string, string> = {
    "../server-filesystem":
      "@modelcontextprotocol/server-filesystem/dist/index.js",
    "../tsc": `@typescript/typescript-${platform}-${arch}/lib/tsc`,
  };
  const file = packages[name];
  return file && join(ROOT, "node_modules", file);
}
