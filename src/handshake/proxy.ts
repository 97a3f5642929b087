import type { ClientConn } from "../client_conn.ts";
import { type Refusal, refusal } from "../policy/decide.ts";
import { beginsHttp } from "./http_head.ts";
import { SOCKS_VERSION } from "./socks5.ts";
import type { ProxyListener } from "../table/listener.ts";
import type { Dialect } from "./dialect.ts";
import {
  type Handshake,
  type Heard,
  NOTHING,
  type Patience,
} from "./handshake.ts";
import { HttpDialect } from "./http.ts";
import { readPatiently } from "./patiently.ts";
import { SocksDialect } from "./socks.ts";

const SLOW = refusal("timeout", "no request within handshake_timeout", "");
const CUT_SHORT = refusal(
  "malformed",
  "the client ended before its request did",
  "",
);
const UNKNOWN = refusal(
  "malformed",
  "the first byte is neither of SOCKS5 nor of HTTP",
  "",
);

/**
 * SOCKS5 or HTTP, told apart by the first byte. Whatever host is asked for,
 * it is only ever a name for the one TCPMUX server behind.
 */
export class ProxyHandshake implements Handshake {
  #listener: ProxyListener;
  #dialect: Dialect | undefined;

  constructor(listener: ProxyListener) {
    this.#listener = listener;
  }

  hear(client: ClientConn, patience: Patience): Promise<Heard> {
    return readPatiently<Heard>(client, patience, SLOW, async (bytes) => {
      if (bytes === null) {
        return this.#dialect === undefined ? { kind: "silence" } : CUT_SHORT;
      }
      this.#dialect ??= dialectOf(bytes[0]!, this.#listener.suffix);
      if (this.#dialect === undefined) return UNKNOWN;
      const heard = await this.#dialect.take(bytes, client);
      if (heard?.kind !== "asked") return heard;
      const { name } = heard;
      const service = { ...this.#listener.service, name, remoteName: name };
      return { kind: "serve", service };
    });
  }

  accepted(): Uint8Array {
    return this.#dialect?.accepted() ?? NOTHING;
  }

  refused(why: Refusal): Uint8Array {
    return this.#dialect?.refused(why) ?? NOTHING;
  }
}

function dialectOf(byte: number, suffix: string): Dialect | undefined {
  if (byte === SOCKS_VERSION) return new SocksDialect(suffix);
  return beginsHttp(byte) ? new HttpDialect(suffix) : undefined;
}
