import { assertEquals } from "@std/assert";
import { ask } from "./client.ts";
import { mustRun } from "./run.ts";

/** A service that is a line of shell; keys of its own may follow. */
export function shell(name: string, script: string, keys = ""): string {
  return `
[services.${name}]
exec = ["sh", "-c", ${JSON.stringify(script)}]
kill_grace = "300ms"
${keys}
`;
}

/**
 * The words of a program that writes without end: at once what no buffer
 * holds, then at a pace that leaves the machine to others. It never reads.
 */
export const ENDLESS: readonly string[] = [
  "perl",
  "-e",
  `my $some = "x" x 65536;
  for (my $i = 0; ; $i++) {
    syswrite STDOUT, $some or exit;
    select undef, undef, undef, 0.2 if $i > 200;
  }`,
];

/** Words as a list of the table's. */
export function words(list: readonly string[]): string {
  return JSON.stringify(list);
}

/** All that a service says behind its `+Go`. */
export async function answer(port: number, service: string): Promise<string> {
  const asked = await ask(port, service);
  assertEquals(asked.reply, "+Go");
  const all = await asked.readAll();
  asked.conn.close();
  return all;
}

/** Variables as `env -0` prints them. */
export function variables(text: string): Record<string, string> {
  const lines = text.split("\0").slice(0, -1);
  return Object.fromEntries(lines.map((line) => {
    const cut = line.indexOf("=");
    return [line.slice(0, cut), line.slice(cut + 1)];
  }));
}

/** What a program prints. */
export async function output(...command: string[]): Promise<string> {
  return String((await mustRun(command)).stdout).trim();
}

/** The user's name, home and shell, as the system has them. */
export async function passwd(user: string): Promise<[string, string, string]> {
  const fields = (await output("getent", "passwd", user)).split(":");
  return [fields[0]!, fields[5]!, fields[6]!];
}

/** What must not get through a server to its programs. */
export const POISON = {
  ...{ POISON: "1", PASSED: "passed", EMPTY: "", BASH_ENV: "/poison" },
  ...{ USER: "poison", LOGNAME: "poison", HOME: "/poison", SHELL: "/poison" },
  ...{ TZ: "Asia/Tokyo", LANG: "C.UTF-8", LC_ALL: "C.UTF-8" },
  ...{
    TCPREMOTEIP: "poison",
    REMOTE_USER: "poison",
    TCPMUX_LOG_FORMAT: "json",
  },
};
