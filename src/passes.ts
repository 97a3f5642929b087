import { setTimeout as sleep } from "node:timers/promises";
import { type Endpoint, formatEndpoint } from "./endpoint.ts";
import { type Refusal, unavailable } from "./policy/decide.ts";
import type { Conn } from "./transport/transport.ts";

/** How often what a client began may come round through this server. */
const MAX_PASSES = 8;

const LOOP = unavailable(
  `it has come round through this server ${MAX_PASSES} times`,
);

/** Milliseconds that a connection of our own may take until we know of it. */
const MOST_WAIT = 1000;

/**
 * The connections of this server to itself. A client whose address is the
 * near end of one of our own upstream connections is no client from outside:
 * whoever is behind it has passed here before.
 */
export class Passes {
  #addresses: () => readonly Endpoint[];
  /** Whose it is, by the near end of an upstream connection. */
  #openers = new Map<string, Endpoint>();
  /** Connections to ourselves that are under way. */
  #opening = new Set<Promise<unknown>>();

  /** @param addresses where this server listens */
  constructor(addresses: () => readonly Endpoint[]) {
    this.#addresses = addresses;
  }

  /** Why a client is to be refused, if it has come round too often. */
  refusalOf(
    client: Pick<Conn, "local" | "remote">,
  ): Refusal | undefined | Promise<Refusal | undefined> {
    // The far end may have been accepted before the near one was connected.
    if (this.#opening.size > 0 && isFromHere(client)) {
      return this.#laterRefusalOf(client);
    }
    return this.#openers.size > 0 ? this.#loopOf(client) : undefined;
  }

  async #laterRefusalOf(
    client: Pick<Conn, "remote">,
  ): Promise<Refusal | undefined> {
    const known = Promise.all(this.#opening);
    await Promise.race([known, sleep(MOST_WAIT, null, { ref: false })]);
    return this.#loopOf(client);
  }

  /**
   * Takes note of a connection to an upstream, for a client's sake.
   *
   * @returns to be called when the client's session is over, if anything is
   */
  opening(
    client: Endpoint,
    to: Endpoint,
    dialling: Promise<Conn>,
  ): (() => void) | undefined {
    return this.#isOwn(to) ? this.#openingOwn(client, dialling) : undefined;
  }

  #openingOwn(client: Endpoint, dialling: Promise<Conn>): () => void {
    let near: string | undefined;
    const known = dialling.then(({ local }) => {
      near = formatEndpoint(local);
      this.#openers.set(near, client);
    }).catch(() => {}) // nobody comes in by that
      .finally(() => this.#opening.delete(known));
    this.#opening.add(known);
    return () => {
      if (near === undefined || this.#openers.get(near) !== client) return;
      this.#openers.delete(near);
    };
  }

  #loopOf({ remote }: Pick<Conn, "remote">): Refusal | undefined {
    let next: Endpoint | undefined = remote;
    for (let times = 0; times <= MAX_PASSES; times++) {
      next = this.#openers.get(formatEndpoint(next));
      if (next === undefined) return undefined;
    }
    return LOOP;
  }

  /** Whether it may lead here: by its port, for a host has many names. */
  #isOwn(to: Endpoint): boolean {
    if (to.transport !== "tcp") return false;
    for (const own of this.#addresses()) {
      if (own.transport === "tcp" && own.port === to.port) return true;
    }
    return false;
  }
}

function isFromHere({ local, remote }: Pick<Conn, "local" | "remote">) {
  if (local.transport === "unix" || remote.transport === "unix") return false;
  return remote.host === local.host || /^(127\.|::1$)/.test(remote.host);
}
