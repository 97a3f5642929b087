/** A client's whole word to a server or a proxy, up to the service. */
import { ClientConn } from "../../src/client_conn.ts";
import type { Handshake, Heard } from "../../src/handshake/handshake.ts";
import { NamedHandshake } from "../../src/handshake/tcpmux.ts";
import { ProxyHandshake } from "../../src/handshake/proxy.ts";
import { buildTable } from "../../src/table/parse.ts";
import type { TcpmuxService } from "../../src/table/service.ts";
import { Ending } from "../../src/transport/cancel.ts";
import { bytesOf, cuts, textOf } from "../cut.ts";
import { Scripted } from "../scripted.ts";
import { check, same, shown, type Target } from "../target.ts";
import { http } from "./http.ts";
import { request } from "./request.ts";
import { socks } from "./socks.ts";

const PATIENCE = { timeout: 0, draining: new Ending() };

const [service] = buildTable({
  services: { any: { tcpmux: "192.0.2.1:1/any" } },
}).services;

function speakingWith(name: string, of: Target, make: () => Handshake): Target {
  return {
    ...of,
    name,
    inputs: 300_000,
    async check(input) {
      const bytes = bytesOf(input);
      const ways = cuts(bytes);
      const first = await heard(make(), ways[0]!, input);
      for (const way of ways.slice(1)) {
        same(await heard(make(), way, input), first, "another cut");
      }
    },
  };
}

/** What the server has understood, what it has said, and what is left. */
async function heard(
  handshake: Handshake,
  pieces: readonly Uint8Array[],
  input: string,
): Promise<unknown> {
  const said = pieces.filter((piece) => piece.length > 0);
  const conn = new Scripted(said);
  const client = new ClientConn(conn);
  const word = await handshake.hear(client, PATIENCE);
  const wrote = conn.written.map(textOf).join("");
  switch (word.kind) {
    case "silence":
      same(input, "", "silence");
      return "silence";
    case "refuse": {
      const { outcome, reason } = word;
      check(reason !== "", () => "a refusal without a word");
      const refused = textOf(handshake.refused(word));
      // SOCKS answers in bytes; all else is text.
      const isText = /^[\r\n\x20-\x7e]*$/.test(refused);
      check(isText || refused.startsWith("\x05"), () => shown(refused));
      return { outcome, reason, wrote, refused };
    }
    default: {
      const name = nameIn(word);
      check(/^[\x20-\x7e]{1,255}$/.test(name), () => `the name ${shown(name)}`);
      const accepted = textOf(handshake.accepted("Go"));
      return { name, wrote, accepted, rest: await restOf(client) };
    }
  }
}

function nameIn(word: Heard): string {
  if (word.kind === "request") return word.name;
  if (word.kind !== "serve") throw new Error(word.kind);
  const { name, remoteName } = word.service as TcpmuxService;
  same(remoteName, name, "the name at the other server");
  return name;
}

async function restOf(client: ClientConn): Promise<string> {
  let rest = "";
  for (let bytes; (bytes = await client.read()) !== null;) {
    check(bytes.length > 0, () => "a read gives nothing, and no end");
    rest += textOf(bytes);
  }
  return rest;
}

const proxy = () =>
  new ProxyHandshake({
    protocol: "proxy",
    endpoint: { transport: "tcp", host: "127.0.0.1", port: 0 },
    service: service as TcpmuxService,
    suffix: ".mux",
  });

export const HANDSHAKES: readonly Target[] = [
  speakingWith("named", request, () => new NamedHandshake()),
  speakingWith("proxy-http", http, proxy),
  speakingWith("proxy-socks", socks, proxy),
];
