import type { KeyPath, Problems } from "../problem.ts";

/** Who has a name, and where what is wrong with it is put. */
interface Owner {
  readonly service: string;
  readonly problems: Problems;
}

/** The names of services and aliases, of all files of a table. */
export class Names {
  /** By names in upper case. */
  readonly #owners = new Map<string, Owner>();

  /** Adds problems for names that two services have, whatever the case. */
  check(entries: Record<string, unknown>, problems: Problems): void {
    for (const [service, entry] of Object.entries(entries)) {
      const owner = { service, problems };
      const path = ["services", service];
      this.#claim(service, owner, path);
      const aliases = (entry as { aliases?: unknown } | null)?.aliases;
      if (!Array.isArray(aliases)) continue;
      aliases.forEach((alias, index) => {
        if (typeof alias !== "string") return;
        this.#claim(alias, owner, [...path, "aliases", index]);
      });
    }
  }

  #claim(name: string, owner: Owner, path: KeyPath): void {
    const first = this.#owners.get(name.toUpperCase());
    if (first === undefined) {
      this.#owners.set(name.toUpperCase(), owner);
      return;
    }
    const { service, problems } = first;
    const place = problems === owner.problems
      ? ""
      : ` of ${problems.placeOf(["services", service])}`;
    owner.problems.add(
      path,
      `the name ${JSON.stringify(name)} is already used by the service ` +
        `${service}${place} (upper and lower case make no difference)`,
    );
  }
}
