import type { Endpoint } from "../endpoint.ts";
import type { Service } from "../table/service.ts";
import { helpText } from "../wire.ts";
import { keptOutOf } from "./kept_out.ts";

/** What HELP answers: the services that a client may use now. */
export class Listing {
  readonly #services: readonly Service[];
  /** Whether it is the same for all clients at all times. */
  readonly #isOne: boolean;
  /** Made when it is first asked for. */
  #one: Uint8Array | undefined;

  constructor(services: readonly Service[]) {
    this.#services = services.filter(({ listed, enabled }) =>
      listed && enabled
    );
    this.#isOne = this.#services.every(({ access, hours }) =>
      access.isOpen && hours === undefined
    );
  }

  /** @param now milliseconds since 1970 */
  textFor(remote: Endpoint, now: number): Uint8Array {
    if (this.#isOne) return this.#one ??= textOf(this.#services);
    return textOf(
      this.#services.filter((service) =>
        keptOutOf(service, remote) === undefined &&
        service.hours?.include(now) !== false
      ),
    );
  }
}

function textOf(services: readonly Service[]): Uint8Array {
  return helpText(services.map(({ name }) => name));
}
