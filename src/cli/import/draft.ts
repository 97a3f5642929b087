/** Services and settings that an old configuration becomes. */
import { isName, NAME_RULE } from "../../table/schema.ts";
import type {
  BuiltinInput,
  ConnectInput,
  ExecInput,
  ServerInput,
} from "../../table/input.ts";
import type { Place, Report, Verdict } from "./report.ts";

export type ServiceKeys = Partial<
  ExecInput & ConnectInput & BuiltinInput
>;

/**
 * How clients reached a service: under TCPMUX, or at a port of its own, or by
 * a guess. Only what they could ask for by its name stays open by itself.
 */
export type Reached = "by name" | "by port";

/** A service on its way into the table. */
export class Draft {
  readonly keys: ServiceKeys = {};
  /** Why nobody may use it; empty while it is open. */
  readonly closed: string[] = [];
  /** What an administrator should know who reads the table. */
  readonly comments: string[] = [];
  readonly name: string;
  readonly place: Place;
  readonly reached: Reached;
  readonly #report: Report;
  #isDiscarded = false;

  constructor(name: string, place: Place, reached: Reached, report: Report) {
    this.name = name;
    this.place = place;
    this.reached = reached;
    this.#report = report;
  }

  /** Lets nobody in, since what let only some in cannot be kept. */
  close(why: string): void {
    if (!this.closed.includes(why)) this.closed.push(why);
  }

  /** Leaves it out, since nothing says what it is to do. */
  discard(why: string): void {
    this.#isDiscarded = true;
    this.dropped(why);
  }

  get isDiscarded(): boolean {
    return this.#isDiscarded;
  }

  changed(what: string, place = this.place): void {
    this.#say("changed", what, place);
    this.comments.push(what);
  }

  dropped(what: string, place = this.place): void {
    this.#say("dropped", what, place);
  }

  #say(verdict: Verdict, what: string, place: Place): void {
    this.#report.add(verdict, place, `${this.name}: ${what}`);
  }
}

/** Settings of the server, with what there is to say about them. */
export interface ServerDraft {
  readonly keys: ServerInput;
  readonly comments: readonly string[];
}

/** What the files of one dialect become. */
export interface Imported {
  readonly server: ServerDraft;
  readonly drafts: readonly Draft[];
  /** What differs from the old server for every service. */
  readonly differences: readonly string[];
  /** Which of two definitions of a name was the one that clients got. */
  readonly wins: "first" | "last";
}

/**
 * The services that the table gets, each with a name of its own.
 */
export function settled(
  { drafts, wins }: Imported,
  report: Report,
): readonly Draft[] {
  const named = drafts.filter((draft) => {
    if (draft.isDiscarded) return false;
    if (JSON.stringify(draft.keys).includes("\\u0000")) {
      draft.dropped("there is a NUL byte in it, which a table cannot hold");
      return false;
    }
    if (draft.name in {}) {
      draft.dropped("a table can have no key of that name");
      return false;
    }
    if (isName(draft.name)) return true;
    report.add(
      "dropped",
      draft.place,
      `${
        JSON.stringify(draft.name)
      } can be no name of a service (${NAME_RULE})`,
    );
    return false;
  });
  const owners = new Map<string, Draft>();
  for (const draft of named) {
    const key = draft.name.toUpperCase();
    const other = owners.get(key);
    if (
      other === undefined || rank(draft) > rank(other) ||
      rank(draft) === rank(other) && wins === "last"
    ) owners.set(key, draft);
  }
  return named.filter((draft) => {
    const owner = owners.get(draft.name.toUpperCase())!;
    const { file, line } = owner.place;
    if (owner !== draft) draft.dropped(`${file}:${line} has the same name`);
    return owner === draft;
  });
}

/** What clients got of several definitions: one that is open. */
function rank({ reached, closed }: Draft): number {
  return reached === "by port" ? 0 : closed.length > 0 ? 1 : 2;
}

/** What has become of a service as a whole. */
export function reportOn(
  { name, place, reached, closed, keys }: Draft,
  report: Report,
): void {
  const what = keys.exec?.join(" ") ?? keys.connect ?? keys.builtin ?? "";
  const why = closed.join("; ");
  if (reached === "by port") {
    const because = why === "" ? "" : ` (${why})`;
    const how = `offered by its name, and disabled${because}`;
    report.add("changed", place, `${name}: ${how}`);
  } else if (why !== "") {
    report.add("changed", place, `${name}: closed: ${why}`);
  } else report.add("kept", place, `${name}: ${what}`);
}
