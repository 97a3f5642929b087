import type { ClientConn } from "../client_conn.ts";
import { malformed, type Refusal, REFUSALS } from "../policy/decide.ts";
import { negative, positive, RequestReader } from "../wire.ts";
import type { Handshake, Heard, Patience } from "./handshake.ts";
import { readPatiently } from "./patiently.ts";

/** RFC 1078: the client sends a name, and the answer is one line. */
export class NamedHandshake implements Handshake {
  hear(client: ClientConn, patience: Patience): Promise<Heard> {
    const reader = new RequestReader();
    return readPatiently<Heard>(client, patience, REFUSALS.slow, (bytes) => {
      if (bytes === null) {
        return reader.started ? REFUSALS.cutShort : { kind: "silence" };
      }
      const state = reader.push(bytes);
      if (state.state === "malformed") return malformed(state.why);
      if (state.state === "more") return undefined;
      client.unread(state.rest);
      return { kind: "request", name: state.name };
    });
  }

  accepted(message: string): Uint8Array {
    return positive(message);
  }

  refused(why: Refusal): Uint8Array {
    return negative(why.text);
  }
}
