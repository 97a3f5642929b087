/** `[server] watch`: a change of the table's files is a reload. */
import { type FSWatcher, watch } from "node:fs";
import { readlink, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { messageOf, TcpmuxError } from "../../errors.ts";
import { TableError } from "../../table/problem.ts";
import type { Prepared } from "../../table/table.ts";
import type { Loaded, TableSource } from "../load.ts";
import type { Companion } from "./companion.ts";
import type { Daemon } from "./daemon.ts";

/** Milliseconds without a change before the table is read again. */
const QUIET = 200;

/** Milliseconds after which it is read though changes go on. */
const LATEST = 2000;

/**
 * Milliseconds after which the files are looked at though nothing was heard:
 * network file systems tell nothing of what others do.
 */
const UNHEARD = 5000;

/** The same where no folder can be watched. */
const OFTEN = 1000;

/** A folder that is being watched. */
interface Watched {
  readonly watcher: FSWatcher;
  /** Which folder it is, whatever its name is by now. */
  readonly identity: string;
}

/**
 * Watches the folders of a table's files, not the files: editors, packages and
 * Kubernetes put another file in the place of the old one.
 */
export class TableWatch implements Companion {
  readonly #source: TableSource;
  readonly #daemon: Daemon;
  readonly #isHeard: boolean;
  /** Whether the log says already that changes may go unseen. */
  #isDeaf = false;
  readonly #watched = new Map<string, Watched>();
  #isOn = false;
  #unheard: ReturnType<typeof setInterval> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** When the first change came that has not led to a look yet. */
  #since: number | undefined;

  constructor(source: TableSource, daemon: Daemon) {
    this.#source = source;
    this.#daemon = daemon;
    this.#isHeard = daemon.transport.abilities.folderEvents;
  }

  async prepare({ table, file }: Loaded): Promise<Prepared> {
    if (!table.server.watch) {
      return { commit: () => this.#stop() };
    }
    if (!this.#source.hasFolder) {
      const message = "goes only with a table that is a file of its own";
      throw new TableError([{ file, key: "server.watch", message }]);
    }
    const folders = await this.#folders();
    const fresh = await this.#watchAll(folders);
    const pause = this.#isHeard ? UNHEARD : OFTEN;
    return {
      commit: () => {
        this.#isOn = true;
        this.#unheard ??= setInterval(() => this.#changed(), pause);
        this.#closeAll((folder) => !folders.has(folder));
        this.#changed(); // perhaps since it was read
      },
      undo: () => this.#closeAll((folder) => fresh.includes(folder)),
    };
  }

  /** A table that is wrong may have files that no table had before. */
  reloaded(error: unknown): void {
    if (this.#isOn && error !== undefined) this.#follow();
  }

  draining(): void {
    this.#stop();
  }

  close(): void {
    this.#stop();
  }

  #stop(): void {
    this.#isOn = false;
    clearTimeout(this.#timer);
    clearInterval(this.#unheard);
    this.#unheard = undefined;
    this.#since = undefined;
    this.#closeAll(() => true);
  }

  async #folders(): Promise<Set<string>> {
    return this.#isHeard
      ? await foldersOf(this.#source.files.paths)
      : new Set();
  }

  /**
   * @returns the folders that were not watched before
   * @throws {TcpmuxError} and then none of those is
   */
  async #watchAll(folders: Iterable<string>): Promise<readonly string[]> {
    const fresh: string[] = [];
    for (const folder of folders) {
      const identity = await identityOf(folder);
      const known = this.#watched.get(folder);
      if (known?.identity === identity) continue;
      known?.watcher.close(); // another folder has its name by now
      this.#watched.delete(folder);
      try {
        const watcher = watch(folder, () => this.#changed());
        this.#watched.set(folder, { watcher, identity });
        fresh.push(folder);
        watcher.on("error", (error) => this.#lost(folder, watcher, error));
      } catch (error) {
        this.#closeAll((folder) => fresh.includes(folder));
        throw cannotWatch(folder, error);
      }
    }
    return fresh;
  }

  /** A watch has ended by itself: as its folder does, on some runtimes. */
  #lost(folder: string, watcher: FSWatcher, error: unknown): void {
    if (this.#watched.get(folder)?.watcher !== watcher) return;
    watcher.close();
    this.#watched.delete(folder);
    if (this.#isOn) this.#warn(cannotWatch(folder, error));
  }

  #closeAll(which: (folder: string) => boolean): void {
    for (const [folder, { watcher }] of this.#watched) {
      if (!which(folder)) continue;
      this.#watched.delete(folder);
      watcher.close();
    }
  }

  /** Something has changed in a folder, perhaps of the table. */
  #changed(): void {
    if (!this.#isOn) return;
    const now = performance.now();
    this.#since ??= now;
    const left = Math.max(0, this.#since + LATEST - now);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#look(), Math.min(QUIET, left));
  }

  async #look(): Promise<void> {
    this.#since = undefined;
    await this.#follow(); // a folder may have come, or be another one now
    if (!this.#isOn || !await this.#source.files.haveChanged()) return;
    this.#daemon.log("info", "the table has changed, and is read again");
    await this.#daemon.reload().catch(() => {}); // it has been logged
  }

  /** Watches what the table that was read last is made of. */
  async #follow(): Promise<void> {
    try {
      const folders = await this.#folders();
      if (this.#isOn) await this.#watchAll(folders);
      if (!this.#isOn) this.#closeAll(() => true);
      this.#isDeaf = false;
    } catch (error) {
      this.#warn(error);
    }
  }

  #warn(error: unknown): void {
    if (this.#isDeaf) return;
    this.#isDeaf = true;
    this.#daemon.log("warn", "changes of the table are seen late", {
      reason: messageOf(error),
    });
  }
}

async function identityOf(folder: string): Promise<string> {
  const found = await stat(folder).catch(() => undefined);
  return `${found?.dev}:${found?.ino}`;
}

function cannotWatch(folder: string, error: unknown): TcpmuxError {
  const { code } = error as { code?: string };
  const cure = code === "ENOSPC"
    ? "raise the limit of watches: sysctl fs.inotify.max_user_watches=65536"
    : code === "EMFILE"
    ? "raise the limit of watchers: sysctl " +
      "fs.inotify.max_user_instances=1024, or that of open files"
    : "take server.watch out, and reload by SIGHUP";
  return new TcpmuxError(
    code === "ENOSPC" || code === "EMFILE" ? "too_many_files" : "failed",
    `cannot watch ${folder} for changes of the table: ${messageOf(error)} ` +
      `(${cure})`,
    { cause: error },
  );
}

/** Links that may follow each other, as the system has it. */
const MOST_LINKS = 40;

/** The folder that something is in, and the one above, where it is replaced. */
const LEVELS = 2;

/**
 * The folders in which something changes when what stands at one of the paths
 * does: those of the files and those above them; and, for each link on the way,
 * as a volume of Kubernetes has them (`..data`), that of the link.
 */
async function foldersOf(
  paths: readonly string[],
): Promise<Set<string>> {
  const ways = new Ways();
  for (const path of paths) await ways.add(resolve(path));
  const present = new Set<string>();
  for (const folder of ways.folders) present.add(await nearest(folder));
  return present;
}

class Ways {
  readonly folders = new Set<string>();
  /** Each path that has been looked at, with its level. */
  readonly #known = new Set<string>();

  async add(path: string, level = LEVELS, links = MOST_LINKS): Promise<void> {
    const key = `${level} ${path}`;
    if (path === "/" || this.#known.has(key)) return;
    this.#known.add(key);
    const folder = dirname(path);
    const target = await readlink(path).catch(() => undefined); // it is no link
    if (level > 0 || target !== undefined) this.folders.add(folder);
    if (target !== undefined && links > 0) {
      await this.add(resolve(folder, target), LEVELS, links - 1);
    }
    await this.add(folder, Math.max(0, level - 1), links);
  }
}

/** The folder itself, or the nearest one above it that is there. */
async function nearest(folder: string): Promise<string> {
  for (let at = folder;; at = dirname(at)) {
    const found = await stat(at).catch(() => undefined); // it is missing
    if (found?.isDirectory() || at === dirname(at)) return at;
  }
}
