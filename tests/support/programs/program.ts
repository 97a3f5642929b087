/** Programs that inetd(8) could serve, and what the tests know of them. */
import { connect } from "node:net";
import { run } from "../run.ts";

export type Stdio = "pipe" | "socket";

/** How a client gets to a program that is served. */
export interface Way {
  /** The folder with what `prepare` has made. */
  readonly folder: string;
  /** A local port that is forwarded to the service. */
  readonly port: number;
  /** Our client command as one line of a shell, for those that start one. */
  readonly line: string;
  /** The same as words. */
  readonly words: readonly string[];
}

export interface ServedProgram {
  /** The name of its service. */
  readonly name: string;
  readonly title: string;
  /** What Debian, or npm, calls it. */
  readonly packages: readonly string[];
  /** The programs that the test starts: it and its client. */
  readonly needs: readonly string[];
  /** Only root can start it, or show that it works. */
  readonly asRoot?: true;
  /**
   * The words of its service. `file` gives the path of what `prepare` has
   * made, and in the documents the path where Debian has it.
   */
  exec(file: (name: string, usual: string) => string): string[];
  /** What is started instead in tests, so that it touches nothing of others. */
  contained?(folder: string): string[];
  /** Further keys of its service, as lines of TOML. */
  keys?(file: (name: string, usual: string) => string): string[];
  /** Why it does not take a kind of standard input and output. */
  readonly not?: Partial<Record<Stdio, string>>;
  /** What is worth knowing beside the table. */
  readonly note?: string;
  prepare(folder: string): Promise<void> | void;
  /** Uses it by its real client. Throws where it does not serve. */
  use(way: Way): Promise<void>;
}

/** The output of a client that must succeed within seconds. */
export async function client(
  command: readonly string[],
  options: Parameters<typeof run>[1] = {},
): Promise<string> {
  const ran = await run(command, { timeout: 20_000, ...options });
  if (ran.code === 0) return String(ran.stdout);
  const said = `${ran.stderr}${ran.stdout}`.slice(0, 1_000);
  throw new Error(`${command.join(" ")}: exit ${ran.code}: ${said}`);
}

/** Milliseconds within which a server must give an answer. */
const PATIENCE = 10_000;

/**
 * Talks with a server of a line protocol: sends each text, once the pattern
 * before it has come.
 *
 * @returns all that the server said
 */
export function talk(
  port: number,
  turns: readonly (string | RegExp)[],
): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port });
    let said = "";
    let from = 0;
    const left = [...turns];
    const goOn = () => {
      for (let turn; (turn = left[0]) !== undefined; left.shift()) {
        if (typeof turn === "string") socket.write(turn);
        else {
          const found = turn.exec(said.slice(from));
          if (found === null) return;
          from += found.index + found[0].length;
        }
      }
      socket.destroy();
      resolve(said);
    };
    const fail = (why: string) => {
      socket.destroy();
      reject(new Error(`${why}; waited for ${left[0]}; it said: ${said}`));
    };
    socket.setTimeout(PATIENCE, () => fail("it is silent"));
    socket.on("connect", goOn);
    socket.on("data", (bytes) => {
      said += bytes.toString("latin1");
      goOn();
    });
    socket.on("error", ({ message }) => fail(message));
    socket.on("close", () => fail("it closed"));
  });
}
