import type { ClientConn } from "../client_conn.ts";
import type { Refusal } from "../policy/decide.ts";

/** What a client of a proxy speaks, once its first byte has told. */
export interface Dialect {
  /** Takes the next bytes; undefined asks for more. */
  take(
    bytes: Uint8Array,
    client: ClientConn,
  ): Promise<Asked | Refusal | undefined> | Asked | Refusal | undefined;
  /** The bytes for "the service begins". */
  accepted(): Uint8Array;
  /** The bytes for "it does not". */
  refused(why: Refusal): Uint8Array;
}

/** Whom a client asks for. */
export interface Asked {
  readonly kind: "asked";
  readonly name: string;
}
