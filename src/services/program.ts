import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { TcpmuxError } from "../errors.ts";

/** Where programs without a slash in their name are looked for. */
export const DEFAULT_PATH =
  "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * The file of a program, so that a missing one is known before the client is
 * told `+`.
 *
 * @throws {TcpmuxError} `not_found` or `permission_denied`
 */
export async function findProgram(name: string, path: string): Promise<string> {
  if (name.includes("/")) {
    await checkProgram(name);
    return name;
  }
  for (const folder of path.split(":")) {
    const file = `${folder || "."}/${name}`;
    try {
      await checkProgram(file);
      return file;
    } catch {
      // Not here; the next folder may have it.
    }
  }
  throw new TcpmuxError(
    "not_found",
    `cannot start ${name}: no such program in ${path}`,
    { program: name },
  );
}

async function checkProgram(file: string): Promise<void> {
  try {
    await access(file, constants.X_OK);
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
  if (!(await stat(file)).isFile()) {
    throw new TcpmuxError(
      "permission_denied",
      `cannot start ${file}: it is not a file`,
      { program: file },
    );
  }
}

/** @throws {TcpmuxError} `not_found` where a working directory is missing */
export async function checkFolder(folder: string): Promise<void> {
  const found = await stat(folder).catch(() => undefined);
  if (found?.isDirectory()) return;
  throw new TcpmuxError(
    "not_found",
    `cannot start in ${folder}: no such folder`,
  );
}
