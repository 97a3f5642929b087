/** Repositories and trees: svnserve, cvs, git daemon, rsync. */
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { assertEquals } from "@std/assert";
import { writeRsyncConfig } from "../rsync.ts";
import { makeTree } from "../tree.ts";
import { client, type ServedProgram } from "./program.ts";

const svnserve: ServedProgram = {
  name: "svn",
  title: "Subversion, `svnserve -i`",
  packages: ["subversion"],
  needs: ["svnserve", "svnadmin", "svn"],
  exec: (file) => ["/usr/bin/svnserve", "-i", "-r", file("svn", "/srv/svn")],
  async prepare(folder) {
    const repository = join(folder, "svn/tree");
    await client(["svnadmin", "create", repository]);
    const settings = "[general]\nanon-access = write\n";
    writeFileSync(join(repository, "conf/svnserve.conf"), settings);
  },
  async use({ folder, port }) {
    const svn = (...words: string[]) =>
      client([
        ...["svn", "--config-dir", join(folder, "svn-config")],
        ...["--non-interactive", "-q", ...words],
      ]);
    const url = `svn://127.0.0.1:${port}/tree`;
    const [first, second] = ["first", "second"].map((name) =>
      join(folder, `svn-${name}-${port}`)
    ) as [string, string];
    await svn("checkout", url, first);
    makeTree(join(first, "tree"));
    await svn("add", join(first, "tree"));
    await svn("commit", "-m", "A tree", first);
    await svn("checkout", url, second);
    await client(["diff", "-r", "-x", ".svn", first, second]);
    await svn("rm", join(second, "tree"));
    await svn("commit", "-m", "No tree", second);
  },
};

const cvs: ServedProgram = {
  name: "cvs",
  title: "CVS, `cvs pserver`",
  packages: ["cvs"],
  needs: ["cvs"],
  asRoot: true,
  exec: (file) => [
    ...["/usr/bin/cvs", "-f", `--allow-root=${file("cvs", "/srv/cvs")}`],
    "pserver",
  ],
  async prepare(folder) {
    const repository = join(folder, "cvs");
    await client(["cvs", "-d", repository, "init"]);
    mkdirSync(join(repository, "module"));
    const passwords = join(repository, "CVSROOT/passwd");
    writeFileSync(passwords, "anonymous::nobody\n");
    await client(["chown", "-R", "nobody", repository]);
  },
  async use({ folder, port }) {
    const work = join(folder, `cvs-${port}`);
    mkdirSync(work);
    const root = `:pserver:anonymous:@127.0.0.1:${port}${join(folder, "cvs")}`;
    const cvs = (where: string, ...words: string[]) =>
      client(
        ["sh", "-c", `cd "$1"; shift; exec cvs -f -Q "$@"`, "sh"].concat(
          where,
          ["-d", root, ...words],
        ),
        { env: { HOME: work, CVS_PASSFILE: join(work, "passwords") } },
      );
    const [one, two] = [join(work, "one"), join(work, "two")];
    await cvs(work, "checkout", "-d", "one", "module");
    const name = `file-${port}`;
    writeFileSync(join(one, name), "text\n".repeat(50_000));
    await cvs(one, "add", name);
    await cvs(one, "commit", "-m", "A file");
    await cvs(work, "checkout", "-d", "two", "module");
    assertEquals(
      readFileSync(join(two, name), "utf8"),
      readFileSync(join(one, name), "utf8"),
    );
  },
};

const git: ServedProgram = {
  name: "git",
  title: "Git, `git daemon --inetd`",
  packages: ["git"],
  needs: ["git"],
  exec: (file) => [
    ...["/usr/bin/git", "daemon", "--inetd", "--export-all"],
    ...["--enable=receive-pack", `--base-path=${file("git", "/srv/git")}`],
  ],
  note: "`--enable=receive-pack` lets every client push.",
  async prepare(folder) {
    const tree = join(folder, "git/tree.git");
    await client(["git", "init", "-q", "--bare", "-b", "main", tree]);
  },
  async use({ folder, port }) {
    const env = {
      ...{ HOME: folder, GIT_CONFIG_NOSYSTEM: "1" },
      ...{ GIT_AUTHOR_NAME: "a", GIT_AUTHOR_EMAIL: "a@tcpmux.test" },
      ...{ GIT_COMMITTER_NAME: "a", GIT_COMMITTER_EMAIL: "a@tcpmux.test" },
    };
    const git = (...words: string[]) => client(["git", ...words], { env });
    const url = `git://127.0.0.1:${port}/tree.git`;
    const [one, two] = ["one", "two"].map((name) =>
      join(folder, `git-${name}-${port}`)
    ) as [string, string];
    await git("init", "-q", "-b", `on-${port}`, one);
    makeTree(join(one, "tree"));
    await git("-C", one, "add", ".");
    await git("-C", one, "commit", "-q", "-m", "A tree");
    await git("-C", one, "push", "-q", url, `on-${port}`);
    await git("clone", "-q", "-b", `on-${port}`, url, two);
    await client(["diff", "-r", "-x", ".git", one, two]);
  },
};

const rsync: ServedProgram = {
  name: "rsync",
  title: "rsync, `rsync --daemon`",
  packages: ["rsync"],
  needs: ["rsync"],
  exec: (file) => [
    ...["/usr/bin/rsync", "--daemon"],
    `--config=${file("rsync/config", "/etc/rsyncd.conf")}`,
  ],
  prepare(folder) {
    const tree = join(folder, "rsync/tree");
    mkdirSync(tree);
    writeRsyncConfig(join(folder, "rsync/config"), tree);
    chmodSync(join(folder, "rsync/config"), 0o644);
  },
  async use({ folder, port }) {
    const [here, back] = ["here", "back"].map((name) =>
      join(folder, `rsync/${name}-${port}`)
    ) as [string, string];
    makeTree(here);
    const url = `rsync://127.0.0.1:${port}/tree/`;
    await client(["rsync", "-a", "--delete", `${here}/`, url]);
    await client(["rsync", "-a", "--delete", url, back]);
    await client(["diff", "-r", here, back]);
  },
};

export const REPOSITORIES: readonly ServedProgram[] = [
  ...[svnserve, cvs, git, rsync],
];
