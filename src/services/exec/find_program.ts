import { accessSync, constants, statSync } from "node:fs";
import { TcpmuxError } from "../../errors.ts";

/** The PATH for programs whose name has no slash. */
export const DEFAULT_PATH =
  "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * The file of a program, found before the client gets its `+`, so that a
 * missing one is refused. The look-up is synchronous: an asynchronous one costs
 * a thread for each call, which takes longer than the call itself.
 *
 * @throws {TcpmuxError} `not_found` or `permission_denied`
 */
export function findProgram(name: string, path: string): string {
  if (name.includes("/")) {
    checkProgram(name);
    return name;
  }
  for (const folder of path.split(":")) {
    const file = `${folder || "."}/${name}`;
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

function checkProgram(file: string): void {
  try {
    accessSync(file, constants.X_OK);
  } catch (error) {
    const { code } = error as { code?: string };
    if (code !== "ENOENT" && code !== "ENOTDIR" && code !== "EACCES") {
      throw error;
    }
    throw new TcpmuxError(
      code === "EACCES" ? "permission_denied" : "not_found",
      `cannot start ${file}: ${
        code === "EACCES" ? "it may not be executed" : "no such program"
      }`,
      { program: file, cause: error },
    );
  }
  if (!statSync(file).isFile()) {
    throw new TcpmuxError(
      "permission_denied",
      `cannot start ${file}: it is not a file`,
      { program: file },
    );
  }
}

/** @throws {TcpmuxError} `not_found` where a working directory is missing */
export function checkFolder(folder: string): void {
  try {
    if (statSync(folder).isDirectory()) return;
  } catch {
    // It is missing, or this process may not look at it.
  }
  throw new TcpmuxError(
    "not_found",
    `cannot start in ${folder}: no such folder`,
  );
}
