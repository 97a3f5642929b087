import { accessSync, constants, statSync } from "node:fs";
import { isAbsolute, resolve } from "node:path";
import { TcpmuxError } from "../../errors.ts";
import type { ExecService } from "../../table/service.ts";
import type { GetEnv } from "../../transport/permission.ts";

/** The PATH for programs whose name has no slash. */
export const DEFAULT_PATH =
  "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Said of a program that is missing, where its path is relative. */
const RELATIVE = " (a relative path starts at cwd, or else in the folder " +
  "where the server was started)";

/** The PATH of a program, which is also where it is looked for. */
export function pathOf(
  { env, passenv }: ExecService,
  getEnv: GetEnv,
): string {
  const passed = passenv.includes("PATH") ? getEnv("PATH") : undefined;
  return env["PATH"] ?? passed ?? DEFAULT_PATH;
}

/**
 * The file of a service's program, found before the client gets its `+`, so
 * that a missing one is refused. A relative path is one in the folder where the
 * program is started.
 *
 * @throws {TcpmuxError} `not_found` or `permission_denied`
 */
export function programOf(
  service: ExecService,
  getEnv: GetEnv,
): string {
  return findProgram(service.exec[0], pathOf(service, getEnv), service.cwd);
}

/**
 * The file of a program. The look-up is synchronous: an asynchronous one costs
 * a thread for each call, which takes longer than the call itself.
 *
 * @param cwd what relative paths are in; by default our own working directory
 * @throws {TcpmuxError} `not_found` or `permission_denied`
 */
export function findProgram(name: string, path: string, cwd = ""): string {
  if (name.includes("/")) {
    const file = cwd === "" ? name : resolve(cwd, name);
    checkProgram(file, isAbsolute(name) ? "" : RELATIVE);
    return file;
  }
  for (const folder of path.split(":")) {
    const file = resolve(cwd, folder, name);
    try {
      checkProgram(file);
      return file;
    } catch {
      // This folder does not have it; the next one may.
    }
  }
  throw new TcpmuxError(
    "not_found",
    `cannot start ${name}: no such program in ${path}`,
    { program: name },
  );
}

/** @param hint said behind the message where there is no such file */
function checkProgram(file: string, hint = ""): void {
  try {
    accessSync(file, constants.X_OK);
  } catch (error) {
    const { code } = error as { code?: string };
    if (code !== "ENOENT" && code !== "ENOTDIR" && code !== "EACCES") {
      throw error;
    }
    throw new TcpmuxError(
      code === "EACCES" ? "permission_denied" : "not_found",
      code === "EACCES"
        ? `cannot start ${file}: no permission to execute it`
        : `cannot start ${resolve(file)}: no such program${hint}`,
      { program: file, cause: error },
    );
  }
  if (!statSync(file).isFile()) {
    throw new TcpmuxError(
      "permission_denied",
      `cannot start ${file}: it is not a regular file`,
      { program: file },
    );
  }
}

/** @throws {TcpmuxError} `not_found` where a service's folder is missing */
export function checkFolder({ cwd }: ExecService): void {
  try {
    if (cwd === "" || statSync(cwd).isDirectory()) return;
  } catch {
    // It is missing, or this process may not look at it.
  }
  throw new TcpmuxError(
    "not_found",
    `cannot start in ${cwd}: no such directory`,
  );
}
