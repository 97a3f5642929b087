import { basename } from "node:path";
import { messageOf } from "../../errors.ts";
import { type Problem, Problems } from "../../table/problem.ts";
import type { ExecService } from "../../table/service.ts";
import type { Table } from "../../table/table.ts";
import { getEnv, permitted } from "../../transport/permission.ts";
import { checkFolder, programOf } from "./find_program.ts";

/**
 * Warnings about what is legal in a table but will hardly work or is unwise:
 * programs and folders that are missing now, programs that run as root.
 */
export function advise(table: Table, file?: string): readonly Problem[] {
  const advice = new Problems(file, table.located);
  const programs = table.services.filter((service) =>
    service.kind === "exec" && service.enabled
  ) as ExecService[];
  for (const service of programs) adviseExec(service, advice);
  const [first] = programs;
  if (first !== undefined && process.pid === 1) {
    advice.add(
      ["services", first.name, "exec"],
      "the server is process 1 and cannot reap orphaned processes, so zombies " +
        "pile up (run it under an init, for example with docker run --init)",
    );
  }
  return advice.all;
}

function adviseExec(service: ExecService, advice: Problems): void {
  const key = (name: string) => ["services", service.name, name];
  const checks: [string, () => void][] = [
    ["cwd", () => checkFolder(service)],
    ["exec", () => programOf(service, getEnv)],
  ];
  for (const [name, check] of checks) {
    try {
      check();
    } catch (error) {
      advice.add(key(name), `${messageOf(error)}; clients will be refused`);
      if (name === "exec" && /\s/.test(service.exec[0])) {
        const words = service.exec.flatMap((text) => text.split(/\s+/));
        advice.add(
          key(name),
          `each argument is a text of its own: ${written(words)}`,
        );
      }
    }
  }
  const forShell = service.exec.find((text) => FOR_SHELL.test(text));
  if (forShell !== undefined && !service.exec.some(hasOwnMeaning)) {
    const shell = written(["sh", "-c", service.exec.join(" ")]);
    advice.add(
      key("exec"),
      `no shell is used, which ${JSON.stringify(forShell)} needs: ` +
        `exec = ${shell}`,
    );
  }
  // Only Deno has such a permission, and gives programs pipes without it.
  if (!permitted("ffi") && becomesDaemon(service.exec)) {
    advice.add(
      key("exec"),
      "will listen on the network itself, as a daemon, because its standard " +
        "input is not a socket on Deno without --allow-ffi (add --allow-ffi, " +
        "or see docs/programs.md)",
    );
  }
  if (service.user === "" && process.getuid?.() === 0) {
    advice.add(
      key("exec"),
      "runs as root (set user to run it as another user)",
    );
  }
}

/** What only a shell understands: `|`, `2>&1`, `~/x`, `$HOME/x`. */
const FOR_SHELL =
  /^(\||\|\||&&?|;|<|\d?>>?(&\d|\/.*)?|~([\w-]*\/.*)?|\$(\w*[A-Z_]|\{\w+\})(\/.*)?)$/;

/** Programs for which the same words mean something, and shells. */
const OTHERS =
  /^((ba|da|k|mk|z|fi|c|tc|s)?sh|ash|busybox|find|expr|test|\[|[gm]?awk|xargs)$/;

function hasOwnMeaning(word: string): boolean {
  return OTHERS.test(basename(word));
}

/** A list of texts as a table has it. */
function written(texts: readonly string[]): string {
  return `[${texts.map((text) => JSON.stringify(text)).join(", ")}]`;
}

/** Programs that look whether a socket is their input to know what to do. */
function becomesDaemon([name, ...args]: readonly string[]): boolean {
  switch (basename(name!)) {
    case "rsync":
      return args.includes("--daemon") && !args.includes("--server");
    case "distccd":
      return !args.includes("--inetd");
    default:
      return false;
  }
}
