import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { freePort, withDaemon, withFolder } from "./daemon.ts";
import type { ForeignServer, ForeignService } from "./foreign.ts";
import { findProgram, needsRoot, skip } from "./needs.ts";
import { mustRun } from "./run.ts";
import { ROOT } from "./server.ts";

const NAME = "inetutils-inetd";

/**
 * The file of Debian's inetutils-inetd. A machine that has xinetd cannot have
 * it installed too, so it may also lie unpacked in the folder that
 * TCPMUX_TEST_INETD names. Where every test must run, it is downloaded.
 */
async function findInetd(): Promise<string | undefined> {
  const installed = findProgram(NAME);
  if (installed !== undefined) return installed;
  const inside = `usr/sbin/${NAME}`;
  const kept = join(ROOT, "node_modules/.cache", NAME);
  const folders = [process.env.TCPMUX_TEST_INETD, kept];
  for (const folder of folders) {
    const file = join(folder ?? "/", inside);
    if (existsSync(file)) return file;
  }
  if (process.env.TCPMUX_TEST_REQUIRE !== "1") return undefined;
  try {
    await download(kept);
    return join(kept, inside);
  } catch (error) {
    // Not thrown: this is run while a test file is loaded.
    console.error(`cannot download ${NAME}: ${error}`);
  }
}

async function download(folder: string): Promise<void> {
  mkdirSync(dirname(folder), { recursive: true });
  const fresh = mkdtempSync(`${folder}-`);
  const script =
    `cd "$1" && apt-get download -q ${NAME} && dpkg -x ${NAME}_*.deb .`;
  await mustRun(["sh", "-c", script, "sh", fresh], { timeout: 60_000 });
  try {
    renameSync(fresh, folder);
  } catch (error) {
    // Another test file was first, and has put the same there.
    rmSync(fresh, { recursive: true });
    if (!existsSync(folder)) throw error;
  }
}

const inetd = await findInetd();

/** The options of a test that takes it: it serves TCPMUX on port 1 only. */
export function needsInetutils(): { skip?: string } {
  return inetd === undefined
    ? skip(`not installed: ${NAME}, nor unpacked in TCPMUX_TEST_INETD`)
    : needsRoot();
}

/** Runs `use` with the port where each client gets a program of its own. */
export function withInetutilsProgram(
  words: readonly string[],
  use: (port: number) => Promise<void>,
): Promise<void> {
  return withFolder(async (folder) => {
    const port = await freePort();
    const file = join(folder, "inetd.conf");
    writeFileSync(
      file,
      `127.0.0.1:${port} stream tcp nowait root ${words[0]} ${
        words.join(" ")
      }\n`,
    );
    await withDaemon(inetdCommand(folder, file), port, () => use(port));
  });
}

/** Debugging is its only way to stay in the foreground. */
function inetdCommand(folder: string, file: string): string[] {
  const pid = `--pidfile=${join(folder, "pid")}`;
  return [inetd ?? NAME, "--debug", pid, "--rate=100000", file];
}

/** Runs `use` with it and these services. */
export function withInetutils(
  services: readonly ForeignService[],
  use: (server: ForeignServer) => Promise<void>,
): Promise<void> {
  const entries = services.map(({ name, program, ownReply }) =>
    `tcpmux/${
      ownReply ? "" : "+"
    }${name} stream tcp nowait root ${program} ${name}\n`
  );
  const listener = "tcpmux stream tcp nowait root internal\n";
  return withInetdConf([listener, ...entries].join(""), use);
}

/**
 * Runs `use` with it and an inetd.conf, whose ports it serves on a loopback
 * address that nobody else takes.
 */
export function withInetdConf(
  conf: string,
  use: (server: ForeignServer) => Promise<void>,
): Promise<void> {
  return withFolder(async (folder) => {
    const part = () => 2 + Math.floor(Math.random() * 250);
    const host = `127.${part()}.${part()}.${part()}`;
    const file = join(folder, "inetd.conf");
    // What is served by name has no address.
    writeFileSync(file, conf.replaceAll(/^(?=\w+ )/gm, `${host}:`));
    await withDaemon(
      inetdCommand(folder, file),
      1,
      () => use({ host, port: 1, address: host }),
      { host },
    );
  });
}
