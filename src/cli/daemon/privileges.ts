/** A server that is root becomes another user once it has bound its addresses. */
import { accessSync, constants, readdirSync, readFileSync } from "node:fs";
import { messageOf, TcpmuxError } from "../../errors.ts";
import { serverUser } from "../../library/server_user.ts";
import { runTool } from "../../services/exec/run_tool.ts";
import type { Transport } from "../../transport/transport.ts";
import type { Loaded } from "../load.ts";

/** Who the server is to be. */
export interface Rights {
  readonly user: string;
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
}

/**
 * Finds out who the server is to be, while it may still ask.
 *
 * @param becoming called just before, while files can still be given away
 * @returns what makes it so, at once and for good; undefined where it stays
 * @throws {TableError} where there is no such user or group
 * @throws {TcpmuxError} code `permission_denied` where it cannot be done
 */
export async function rightsOf(
  { table, file }: Pick<Loaded, "table" | "file">,
  transport: Transport,
  becoming: (rights: Rights) => void = () => {},
): Promise<(() => void) | undefined> {
  const found = await serverUser(table, transport, file);
  if (found === undefined) return undefined;
  const { user } = table.server;
  // What is no number must not become 0, which is root.
  for (const [what, id] of Object.entries(found)) {
    if (!/^\d+$/.test(id)) {
      throw refused(
        user,
        `getent(1) gives no ${what} (run getent passwd ${user})`,
      );
    }
  }
  const [uid, gid] = [Number(found.uid), Number(found.gid)];
  if (process.getuid?.() === uid && process.getgid?.() === gid) {
    return undefined; // whoever has started it has done that
  }
  if (process.getuid?.() !== 0) {
    throw refused(user, "only root can (start it as root, or take user out)");
  }
  const groups = await groupsOf(user, transport);
  const rights = {
    user,
    uid,
    gid,
    groups: [...new Set([...groups, gid])],
  };
  return () => {
    becoming(rights);
    become(rights, transport);
  };
}

/** @throws {TcpmuxError} where id(1) does not say them */
async function groupsOf(user: string, transport: Transport): Promise<number[]> {
  const words = ["id", "-G", "--", user] as const;
  const { output, complaint, exit } = await runTool(words, transport);
  const text = output.trim();
  if (exit.code === 0 && /^\d+(\s+\d+)*$/.test(text)) {
    return text.split(/\s+/).map(Number);
  }
  const why = complaint || `it printed ${JSON.stringify(text)}`;
  throw refused(
    user,
    `id(1) does not say its groups: ${why} (run ${words.join(" ")})`,
  );
}

function become(rights: Rights, transport: Transport): void {
  const { user, uid, gid, groups } = rights;
  try {
    setGroups(groups, transport);
    process.setgid!(gid);
    process.setuid!(uid);
  } catch (error) {
    throw refused(user, messageOf(error));
  }
  for (const task of readdirSync("/proc/self/task")) {
    const fault = faultOf(statusOf(task), rights);
    if (fault !== undefined) throw refused(user, `a thread has kept ${fault}`);
  }
  if (uid !== 0 && mayReturn()) {
    throw refused(user, "it could become root again");
  }
  leaveFolder();
}

/** On Deno no program starts in a folder that this user may not enter. */
function leaveFolder(): void {
  try {
    accessSync(process.cwd(), constants.X_OK);
  } catch {
    process.chdir("/");
  }
}

/** The C library's own function sets them for all threads, as Node's does. */
function setGroups(groups: readonly number[], transport: Transport): void {
  if (process.setgroups !== undefined) process.setgroups([...groups]);
  else if (transport.system !== undefined) transport.system.setGroups(groups);
  else throw new Error("on Deno that takes --allow-ffi, and glibc");
}

/** Undefined for a thread that has ended. */
function statusOf(task: string): string | undefined {
  try {
    return readFileSync(`/proc/self/task/${task}/status`, "utf8");
  } catch {
    return undefined;
  }
}

/** What a thread has of the rights that were given up. */
function faultOf(
  status: string | undefined,
  { uid, gid, groups }: Rights,
): string | undefined {
  if (status === undefined) return undefined;
  const numbers = (name: string) =>
    (new RegExp(`^${name}:\\s*(.*)$`, "m").exec(status)?.[1] ?? "").trim()
      .split(/\s+/).filter((word) => word !== "");
  if (numbers("Uid").some((id) => Number(id) !== uid)) return "another user";
  if (numbers("Gid").some((id) => Number(id) !== gid)) return "another group";
  const kept = numbers("Groups").map(Number);
  if (kept.some((id) => !groups.includes(id))) return "other groups";
  if (kept.length < groups.length) return "fewer groups";
  const isCapable = ["CapEff", "CapPrm"].some((name) =>
    /[1-9a-f]/.test(numbers(name)[0] ?? "")
  );
  return isCapable && uid !== 0 ? "capabilities" : undefined;
}

function mayReturn(): boolean {
  try {
    process.setuid!(0);
    return true;
  } catch {
    return false;
  }
}

function refused(user: string, why: string): TcpmuxError {
  const what = `cannot become user ${user}`;
  return new TcpmuxError("permission_denied", `${what}: ${why}`);
}
