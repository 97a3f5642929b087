// The servers that run now: one of each peer in each world, as they are needed.

/** Keeps servers from one scenario to the next, while their world lasts. */
export class Servers {
  #worlds;
  #running = new Map();

  constructor(worlds) {
    this.#worlds = worlds;
  }

  async get(peer, world) {
    const key = `${peer.id} ${world}`;
    let server = this.#running.get(key);
    if (server === undefined) {
      server = await peer.start(this.#worlds[world]);
      this.#running.set(key, server);
    }
    return server;
  }

  /** A server that failed is not to be measured again: the next is a new one. */
  async forget(peer, world) {
    const key = `${peer.id} ${world}`;
    const server = this.#running.get(key);
    this.#running.delete(key);
    await server?.stop();
  }

  /** Ends all that serve another world: they would take time and memory. */
  async keepOnly(world) {
    for (const [key, server] of this.#running) {
      if (key.endsWith(` ${world}`)) continue;
      this.#running.delete(key);
      await server.stop();
    }
  }
}
