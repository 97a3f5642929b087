/** Where the control socket is, where nobody says where: server and commands. */
import { constants } from "node:fs";
import { access, mkdir } from "node:fs/promises";
import { dirname, isAbsolute, join } from "node:path";
import type { GetEnv } from "../transport/permission.ts";

/** Of a server that a system starts; a systemd unit makes it. */
const SYSTEM_FOLDER = "/run/tcpmux";

/** Others than its user have no business in the folder of a user's server. */
const FOLDER_MODE = 0o700;

const NAME = "control.sock";

/** By this header a command knows that it speaks with a server of this kind. */
export const SERVER_HEADER = "tcpmux";

/** The paths at which a server may have its socket by default, in their order. */
export function defaultPlaces(getEnv: GetEnv): string[] {
  const runtime = getEnv("XDG_RUNTIME_DIR") ?? "";
  return [
    join(SYSTEM_FOLDER, NAME),
    ...isAbsolute(runtime) ? [join(runtime, "tcpmux", NAME)] : [],
  ];
}

/**
 * The first of them whose folder this process can write; the one in a user's
 * own folder is made.
 */
export async function placeToServe(
  getEnv: GetEnv,
): Promise<string | undefined> {
  const [ofSystem, ofUser] = defaultPlaces(getEnv);
  if (await isWritable(dirname(ofSystem!))) return ofSystem;
  if (ofUser === undefined) return undefined;
  const folder = dirname(ofUser);
  try {
    await mkdir(folder, { mode: FOLDER_MODE });
  } catch {
    // It is there already, or cannot be made: then it cannot be written.
  }
  return await isWritable(folder) ? ofUser : undefined;
}

async function isWritable(folder: string): Promise<boolean> {
  try {
    await access(folder, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
