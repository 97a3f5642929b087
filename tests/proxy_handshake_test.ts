import { describe, test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import type { HandshakeState } from "../src/handshake/handshake.ts";
import { ProxyHandshake } from "../src/handshake/socks_or_http.ts";
import { buildTable } from "../src/table/parse.ts";
import type { TcpmuxService } from "../src/table/service.ts";
import { bytes, text } from "./support/bytes.ts";

const [service] = buildTable({
  services: { any: { tcpmux: "127.0.0.1:1/any" } },
}).services;

function handshake(suffix = ""): ProxyHandshake {
  return new ProxyHandshake({
    protocol: "proxy",
    endpoint: { transport: "tcp", host: "127.0.0.1", port: 0 },
    service: service as TcpmuxService,
    suffix,
  });
}

/** Pushes as the session does: nothing at first, and nothing after an answer. */
function pushed(
  shaking: ProxyHandshake,
  ...pieces: readonly (Uint8Array | null)[]
): { step: HandshakeState; answered: string } {
  let answered = "";
  let step = shaking.push(new Uint8Array(0));
  for (const piece of pieces) {
    assertEquals(step.kind, "more");
    step = shaking.push(piece);
    while (step.kind === "answer") {
      answered += text(step.bytes);
      step = shaking.push(new Uint8Array(0));
    }
  }
  return { step, answered };
}

describe("ProxyHandshake", () => {
  for (
    const [what, begun, answer] of [
      ["nobody who says nothing", "", ""],
      ["HTTP", "CONNECT echo", "HTTP/1.1 408 Request Timeout\r\n"],
      ["SOCKS", "\x05\x01\0\x05\x01", "\x05\x01\0\x01"],
    ] as const
  ) {
    test(`answers ${what} when the time is over`, () => {
      const shaking = handshake();
      const { step } = pushed(shaking, bytes(begun));
      assertEquals(step.kind, "more");
      const { outcome, reason } = shaking.tooSlow;
      assertEquals(
        [outcome, reason],
        ["timeout", "no request within handshake_timeout"],
      );
      const refused = text(shaking.rejection(shaking.tooSlow));
      assertEquals(refused.slice(0, answer.length), answer);
      if (answer === "") assertEquals(refused, "");
    });
  }

  test("reads a name, and asks the one server for it", () => {
    const shaking = handshake(".mux");
    const { step, answered } = pushed(
      shaking,
      bytes("CONNECT Oth"),
      bytes("er.MUX:1 HTTP/1.1\r\n\r\nearly"),
    );
    assert(step.kind === "service");
    // The name of the record is the table's, whatever the client asks for.
    assertEquals(
      step.service,
      { ...service!, remoteName: "Other" } as TcpmuxService,
    );
    assertEquals([step.requested, text(step.early)], ["Other", "early"]);
    assertEquals(answered, "");
    assertEquals(text(shaking.acceptance("Go")).slice(0, 12), "HTTP/1.1 200");
  });

  test("answers a greeting of SOCKS, and reads on behind it", () => {
    const shaking = handshake();
    const request = "\x05\x01\0\x03\x04echo\0\x07early";
    const { step, answered } = pushed(shaking, bytes("\x05\x01\0" + request));
    assert(step.kind === "service");
    assertEquals([step.requested, text(step.early)], ["echo", "early"]);
    assertEquals(answered, "\x05\0");
    assertEquals(
      text(shaking.acceptance("Go")),
      "\x05\0\0\x01\0\0\0\0\0\0",
    );
  });

  test("has no answer to who came and went", () => {
    assertEquals(pushed(handshake(), null).step.kind, "silence");
  });

  for (
    const [what, begun, answer] of [
      ["HTTP", "CONNECT e", "HTTP/1.1 400 Bad Request\r\n"],
      ["SOCKS", "\x05\x01\0\x05\x01", "\x05\x01\0\x01"],
      ["SOCKS in its greeting", "\x05\x01", ""],
    ] as const
  ) {
    test(`refuses ${what} that is cut short`, () => {
      const shaking = handshake();
      const { step } = pushed(shaking, bytes(begun), null);
      assert(step.kind === "refuse");
      assertEquals(
        [step.outcome, step.reason],
        ["malformed", "the client closed before its request was complete"],
      );
      const refused = text(shaking.rejection(step));
      assertEquals(refused.slice(0, answer.length), answer);
    });
  }

  test("refuses what is neither SOCKS nor HTTP, without a word", () => {
    const shaking = handshake();
    const { step } = pushed(shaking, bytes("\x16\x03\x01"));
    assert(step.kind === "refuse");
    assertEquals(step.outcome, "malformed");
    assertEquals(text(shaking.rejection(step)), "");
  });
});
