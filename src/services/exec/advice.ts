import { messageOf } from "../../errors.ts";
import { type Problem, Problems } from "../../table/problem.ts";
import type { ExecService } from "../../table/service.ts";
import type { Table } from "../../table/table.ts";
import { checkFolder, DEFAULT_PATH, findProgram } from "./find_program.ts";

/**
 * Warnings about what is legal in a table but will hardly work or is unwise:
 * programs and folders that are missing now, programs that run as root.
 */
export function advise(table: Table, file: string): readonly Problem[] {
  const advice = new Problems(file, table.located);
  for (const service of table.services) {
    if (service.kind !== "exec" || !service.enabled) continue;
    adviseExec(service, advice);
  }
  return advice.all;
}

function adviseExec(service: ExecService, advice: Problems): void {
  const key = (name: string) => ["services", service.name, name];
  const path = service.env["PATH"] ?? DEFAULT_PATH;
  try {
    findProgram(service.exec[0], path);
  } catch (error) {
    advice.add(key("exec"), `${messageOf(error)}; clients will be refused`);
  }
  if (service.cwd !== "") {
    try {
      checkFolder(service.cwd);
    } catch (error) {
      advice.add(key("cwd"), `${messageOf(error)}; clients will be refused`);
    }
  }
  if (service.user === "" && process.getuid?.() === 0) {
    advice.add(key("exec"), "runs as root; set user to run it as another");
  }
}
