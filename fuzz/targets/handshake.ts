/** A client's whole word to a server or a proxy, up to the service. */
import type {
  Handshake,
  HandshakeState,
} from "../../src/handshake/handshake.ts";
import {
  FirstBytesHandshake,
  TcpmuxHandshake,
} from "../../src/handshake/request.ts";
import { ProxyHandshake } from "../../src/handshake/socks_or_http.ts";
import { buildTable } from "../../src/table/parse.ts";
import type { TcpmuxService } from "../../src/table/service.ts";
import { bytesOf, cuts, textOf } from "../cut.ts";
import { check, same, shown, type Target } from "../target.ts";
import { http } from "./http.ts";
import { request } from "./request.ts";
import { socks } from "./socks.ts";

const NOTHING = new Uint8Array(0);

const [service] = buildTable({
  services: { any: { tcpmux: "192.0.2.1:1/any" } },
}).services;

function speakingWith(name: string, of: Target, make: () => Handshake): Target {
  return {
    ...of,
    name,
    inputs: 300_000,
    check(input) {
      const bytes = bytesOf(input);
      const ways = cuts(bytes);
      const first = understood(make(), ways[0]!, input);
      for (const way of ways.slice(1)) {
        same(understood(make(), way, input), first, "another cut");
      }
    },
  };
}

/** What the server has understood, what it has said, and what is left. */
function understood(
  handshake: Handshake,
  cut: readonly Uint8Array[],
  input: string,
): unknown {
  const pieces = [...cut.filter((piece) => piece.length > 0)];
  let wrote = "";
  let step = handshake.push(NOTHING);
  while (step.kind === "more" || step.kind === "answer") {
    if (step.kind === "answer") wrote += textOf(step.bytes);
    const next = step.kind === "answer" ? NOTHING : pieces.shift() ?? null;
    step = handshake.push(next);
    check(
      next !== null || step.kind !== "more",
      () => "the end is not understood",
    );
  }
  switch (step.kind) {
    case "silence":
      same(input, "", "silence");
      return "silence";
    case "refuse": {
      const { outcome, reason } = step;
      check(reason !== "", () => "a refusal without a word");
      const refused = textOf(handshake.rejection(step));
      // SOCKS answers in bytes; all else is text.
      const isText = /^[\r\n\x20-\x7e]*$/.test(refused);
      check(isText || refused.startsWith("\x05"), () => shown(refused));
      return { outcome, reason, wrote, refused };
    }
    default: {
      const name = nameIn(step);
      check(/^[\x20-\x7e]{1,255}$/.test(name), () => `the name ${shown(name)}`);
      const accepted = textOf(handshake.acceptance("Go"));
      const rest = [step.early, ...pieces].map(textOf).join("");
      return { name, wrote, accepted, rest };
    }
  }
}

function nameIn(step: HandshakeState): string {
  if (step.kind === "name") return step.name;
  if (step.kind !== "service") throw new Error(step.kind);
  const { remoteName } = step.service as TcpmuxService;
  same(remoteName, step.requested!, "the name at the other server");
  return remoteName;
}

/** What lines may begin with, and what is no line. */
const firstBytes = () =>
  new FirstBytesHandshake(
    ["echo e", "ec", "aa", "H", "\x00\xff", "\n"].map((text) => ({
      bytes: bytesOf(text),
      service: "any",
    })),
    new TcpmuxHandshake(),
  );

const proxy = () =>
  new ProxyHandshake({
    protocol: "proxy",
    endpoint: { transport: "tcp", host: "127.0.0.1", port: 0 },
    service: service as TcpmuxService,
    suffix: ".mux",
  });

export const HANDSHAKES: readonly Target[] = [
  speakingWith("named", request, () => new TcpmuxHandshake()),
  speakingWith("first-bytes", request, firstBytes),
  speakingWith("proxy-http", http, proxy),
  speakingWith("proxy-socks", socks, proxy),
];
