import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { freePort, withDaemon, withFolder } from "./daemon.ts";
import { findProgram } from "./needs.ts";
import { mustRun } from "./run.ts";

export interface Sshd {
  readonly port: number;
  /**
   * What ssh and scp need in order to log in on the host `tcpmux.test`, with a
   * ProxyCommand or without.
   */
  options(proxyCommand?: string): string[];
  /** The words of a client that may log in, before the command. */
  client(proxyCommand: string): string[];
}

/** What an sshd of its own keys and configuration has, and its clients. */
export interface SshdFiles extends Omit<Sshd, "port"> {
  readonly config: string;
}

/**
 * Writes keys and a configuration that lets this user in.
 *
 * @param more further lines of the configuration
 */
export async function sshdFiles(
  folder: string,
  more = "",
): Promise<SshdFiles> {
  const file = (name: string) => join(folder, name);
  for (const name of ["host", "user"]) {
    await mustRun(
      ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file(name)],
    );
  }
  const key = readFileSync(file("user.pub"), "utf8");
  writeFileSync(file("authorized"), key, { mode: 0o600 });
  const host = readFileSync(file("host.pub"), "utf8");
  writeFileSync(file("known"), `tcpmux.test ${host}`);
  writeFileSync(
    file("config"),
    `${more}HostKey ${file("host")}
AuthorizedKeysFile ${file("authorized")}
PidFile none
StrictModes no
UsePAM no
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
Subsystem sftp internal-sftp
`,
  );
  // Where sshd, as root, locks its helper in.
  if (process.getuid?.() === 0) mkdirSync("/run/sshd", { recursive: true });
  const user = String((await mustRun(["id", "-un"])).stdout).trim();
  const options = (proxyCommand?: string) =>
    sshOptions(folder, user, proxyCommand);
  const client = (proxyCommand: string) => [
    ...["ssh", ...options(proxyCommand), "tcpmux.test"],
  ];
  return { config: file("config"), options, client };
}

/** What ssh and scp need with the keys that {@linkcode sshdFiles} has made. */
export function sshOptions(
  folder: string,
  user: string,
  proxyCommand?: string,
): string[] {
  return [
    ...["-F", "none", "-i", join(folder, "user"), "-o", `User=${user}`],
    ...["-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes"],
    ...["-o", `UserKnownHostsFile=${join(folder, "known")}`],
    ...["-o", "StrictHostKeyChecking=yes", "-o", "LogLevel=ERROR"],
    ...proxyCommand === undefined ? [] : ["-o", `ProxyCommand=${proxyCommand}`],
  ];
}

/** Runs `use` with an sshd of its own keys and configuration. */
export function withSshd(use: (sshd: Sshd) => Promise<void>): Promise<void> {
  return withFolder(async (folder) => {
    const port = await freePort();
    const { config, options, client } = await sshdFiles(
      folder,
      `ListenAddress 127.0.0.1\nPort ${port}\n`,
    );
    // It starts itself again for each connection, so by its whole path.
    const sshd = findProgram("sshd")!;
    await withDaemon(
      [sshd, "-D", "-e", "-f", config],
      port,
      () => use({ port, options, client }),
    );
  });
}
