/** `tcpmux cert` where something is wrong: nothing is half done. */
import { spawn } from "node:child_process";
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { hostname, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, describe, test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { TestCa, withTestCa } from "./support/ca.ts";
import { runCommand } from "./support/command.ts";
import { needs, needsRoot } from "./support/needs.ts";
import { quoted } from "./support/run.ts";
import { programUnderTest } from "./support/server.ts";
import { sleep } from "./support/wait.ts";

/** A folder with a CA that has issued alice, made once. */
let made: Promise<string> | undefined;
after(async () => {
  if (made !== undefined) rmSync(dirname(await made), { recursive: true });
});

/** Runs `use` with a copy of that CA. */
function withAlice(use: (ca: TestCa) => Promise<void>): Promise<void> {
  made ??= makeAlice();
  return withTestCa(async (ca) => {
    cpSync(await made!, ca.pki, { recursive: true });
    await use(ca);
  });
}

async function makeAlice(): Promise<string> {
  const ca = new TestCa(mkdtempSync(join(tmpdir(), "tcpmux-alice-")));
  await ca.mustCert(["init"]);
  await ca.mustCert(["issue", "alice"]);
  return ca.pki;
}

/** All files of the CA, with their contents. */
function filesOf(ca: TestCa): Record<string, string> {
  const names = readdirSync(ca.pki, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name)).sort();
  return Object.fromEntries(
    names.map((name) => [name, readFileSync(name, "utf8")]),
  );
}

/** Fails unless a certificate is good and fits its key. */
async function assertWhole(ca: TestCa, name: string): Promise<void> {
  assertEquals(await ca.verify(`${name}.crt`), "");
  const { out } = await ca.openssl("pkey", "-in", `${name}.key`, "-pubout");
  const { out: other } = await ca.openssl(
    ...["x509", "-in", `${name}.crt`, "-noout", "-pubkey"],
  );
  assertEquals(out, other);
}

describe("tcpmux cert refuses", needs("openssl"), () => {
  for (
    const [words, code, says] of [
      [[], 64, /cert needs an action: tcpmux cert init\|issue\|renew/],
      [["make"], 64, /ACTION is "make"; allowed: one of init, issue/],
      [["issue"], 64, /cert issue needs NAME: tcpmux cert issue NAME/],
      [["init", "x"], 64, /unexpected argument "x"/],
      [["list", "--san", "dns:x"], 64, /--san goes with cert issue alone/],
      [["renew", "a", "--server"], 64, /--server goes with cert issue alone/],
      [["list", "--days", "3"], 64, /goes with cert init or cert issue or cer/],
      [["issue", "x", "--days", "0"], 64, /--days is "0"; allowed: a whole/],
      [["issue", "ca"], 64, /the name of the CA's own files/],
      [["issue", "../x"], 64, /NAME is "\.\.\/x"; allowed/],
      [["issue", "a\nb"], 64, /NAME is "a\\nb"; allowed/],
      [["renew", "../x"], 64, /NAME is "\.\.\/x"; allowed/],
      [["issue", "a@b", "--server"], 64, /a@b is none; say it by --san dns:/],
      [["issue", "x", "--san", "x"], 64, /--san is "x"; allowed: dns:NAME, ip/],
      [["issue", "x", "--san", "ip:1"], 64, /allowed behind ip: is an IPv4 or/],
      [
        ["issue", "x"],
        69,
        /there is no CA in pki \(make one: tcpmux cert init/,
      ],
      [["list"], 69, /there is no CA in pki \(make one: tcpmux cert init/],
    ] as [string[], number, RegExp][]
  ) {
    test(
      JSON.stringify(words.join(" ").slice(0, 40)),
      () =>
        withTestCa(async (ca) => {
          const ran = await ca.cert(words);
          assertEquals([ran.code, ran.out], [code, ""], ran.err);
          assertMatch(ran.err, says);
          assertMatch(ran.err, /^tcpmux: [^\n]+\n$/);
          assertEquals(readdirSync(ca.folder), []);
        }),
    );
  }

  test("what is there already", () =>
    withAlice(async (ca) => {
      writeFileSync(join(ca.pki, "bob.key"), "somebody else's");
      const before = filesOf(ca);
      for (
        const [words, says] of [
          [["init"], /pki\/ca\.key is there already \(name another folder/],
          [
            ["issue", "alice"],
            /alice has a certificate already \(tcpmux cert r/,
          ],
          [["issue", "Alice"], /alice has a certificate already/],
          [
            ["issue", "bob"],
            /pki\/bob\.key is there already, and none of this/,
          ],
          [
            ["renew", "carol"],
            /carol has no certificate \(tcpmux cert issue ca/,
          ],
          [["revoke", "carol"], /carol has no certificate/],
        ] as [string[], RegExp][]
      ) {
        const { code, err } = await ca.cert(words);
        assertEquals(code, 69);
        assertMatch(err, says);
      }
      assertEquals(filesOf(ca), before);
    }));

  test("a list that was changed by another hand", () =>
    withAlice(async (ca) => {
      const index = join(ca.pki, "index.txt");
      const text = readFileSync(index, "utf8");
      for (const wrong of [`${text}nonsense\n`, text.trimEnd()]) {
        writeFileSync(index, wrong);
        const { code, err } = await ca.cert(["renew", "alice"]);
        assertEquals(code, 74);
        assertMatch(err, /pki\/index\.txt:[12]: it is no line of this CA \(/);
      }
      writeFileSync(index, text);
      writeFileSync(join(ca.pki, "ca.crt"), "nonsense");
      const { code, err } = await ca.cert(["list"]);
      assertEquals(code, 74);
      assertMatch(err, /pki\/ca\.crt: it is no certificate of this CA \(/);
    }));
});

describe("tcpmux cert works", needs("openssl"), () => {
  test("in a folder with any name, and with other files in it", () =>
    withTestCa(async (ca) => {
      const pki = join(ca.folder, `a $HOME "b' #c\\d`);
      mkdirSync(pki, { mode: 0o700 });
      writeFileSync(join(pki, "notes"), "mine");
      mkdirSync(join(pki, "more"));
      for (
        const words of [["init"], ["issue", "x"], ["renew", "x"], [
          "revoke",
          "x",
        ]]
      ) {
        await ca.mustCert([...words, "--dir", pki]);
      }
      assertEquals(readFileSync(join(pki, "notes"), "utf8"), "mine");
      const out = await ca.mustCert(["list"], { TCPMUX_DIR: pki });
      assertMatch(out, /^x +client +revoked /m);
    }));

  test("whatever the configuration of openssl(1) says", () =>
    withTestCa(async (ca) => {
      const config = join(ca.folder, "wrong.cnf");
      // A machine's may leave out all algorithms; Node has a section of its own.
      writeFileSync(
        config,
        "openssl_conf=a\n[a]\nproviders=b\n[b]\nnull=c\n[c]\nactivate=1\n",
      );
      const { code } = await runCommand(
        ["openssl", "genpkey", "-algorithm", "EC"],
        { env: { OPENSSL_CONF: config } },
      );
      assert(code !== 0);
      const env = { OPENSSL_CONF: config };
      await ca.mustCert(["init"], env);
      await ca.mustCert(["issue", "x"], env);
      assertEquals(await ca.verify("x.crt"), "");
    }));

  test("without a secret among words, variables or files of others", () =>
    withTestCa(async (ca) => {
      const log = join(ca.folder, "log");
      const env = ca.pathWith(
        `[ "$1" = version ] && exec $REAL "$@"; { printf '%s\\n' "$@"; env; find .. ! -name certs -printf ` +
          `'MODE %m %y %p\\n'; } >> ${quoted(log)}\nexec $REAL "$@"`,
      );
      await ca.mustCert(["init"], env);
      await ca.mustCert(["issue", "x"], env);
      const text = readFileSync(log, "utf8");
      assert(text.includes("genpkey"), text);
      assert(!text.includes("PRIVATE KEY"), text);
      const secrets = [...text.matchAll(/^MODE (\d+) f (.*\.key)$/gm)];
      assert(secrets.length > 2);
      for (const [line, mode] of secrets) assertEquals(mode, "600", line);
      const folders = [...text.matchAll(/^MODE (\d+) d (.*work.*)$/gm)];
      assert(folders.length > 2);
      for (const [line, mode] of folders) {
        assert(mode === "700" || line.includes("/copies"), line);
      }
    }));

  test("several times at once, one after the other", () =>
    withTestCa(async (ca) => {
      await ca.mustCert(["init"]);
      const ran = await Promise.all(
        ["a", "b", "same", "same"].map((name) => ca.cert(["issue", name])),
      );
      const codes = ran.map(({ code }) => code);
      assertEquals(codes.slice(0, 2), [0, 0]);
      assertEquals(codes.slice(2).sort(), [0, 69]);
      assertEquals((await ca.list()).length, 4);
      for (const name of ["a", "b", "same"]) await assertWhole(ca, name);
    }));

  test("behind a process that was killed, and not beside one that lives", () =>
    withTestCa(async (ca) => {
      await ca.mustCert(["init"]);
      const { code: over } = await runCommand(["true"]);
      assertEquals(over, 0);
      const dead = spawn("true");
      const pid = dead.pid!;
      await new Promise((resolve) => dead.once("exit", resolve));
      const lock = join(ca.pki, ".lock");
      symlinkSync(`${pid}@${hostname()}`, lock);
      await ca.mustCert(["issue", "alice"]);
      assert(!existsSync(lock));
      symlinkSync(`${pid}@another-machine`, lock);
      const { code, err } = await ca.cert(["issue", "bob"]);
      assertEquals(code, 75);
      assertMatch(
        err,
        /\.lock: process \d+@another-machine is at work there \(/,
      );
      rmSync(lock);
      await ca.mustCert(["issue", "bob"]);
    }));
});

describe("tcpmux cert that is killed", needs("openssl"), () => {
  for (const call of [1, 2, 3, 4]) {
    test(`while openssl(1) runs for the ${call}. time, changes nothing`, () =>
      withAlice(async (ca) => {
        const before = filesOf(ca);
        const count = join(ca.folder, "count");
        const env = ca.pathWith(
          `[ "$1" = version ] && exec $REAL "$@"
echo >> ${quoted(count)}
[ $(wc -l < ${quoted(count)}) = ${call} ] && kill -9 $PPID
exec $REAL "$@"`,
        );
        const { code } = await ca.cert(["renew", "alice"], env);
        assert(code !== 0);
        const files = filesOf(ca);
        for (const [name, text] of Object.entries(before)) {
          assertEquals(files[name], text, name);
        }
        await assertWhole(ca, "alice");
        await ca.mustCert(["issue", "bob"]);
        await assertWhole(ca, "bob");
        assert(!readdirSync(ca.pki).some((name) => name.startsWith(".")));
      }));
  }

  test("while it makes a CA, has made none", () =>
    withTestCa(async (ca) => {
      const env = ca.pathWith(
        `[ "$1" = ca ] && kill -9 $PPID\nexec $REAL "$@"`,
      );
      assert((await ca.cert(["init"], env)).code !== 0);
      const { code, err } = await ca.cert(["issue", "alice"]);
      assertEquals(code, 69);
      assertMatch(err, /there is no CA in pki/);
      await ca.mustCert(["init"]);
      await ca.mustCert(["issue", "alice"]);
      await assertWhole(ca, "alice");
    }));

  test("among its renames, is finished by the next command", () =>
    withAlice(async (ca) => {
      const old = join(ca.folder, "old");
      cpSync(ca.pki, old, { recursive: true });
      await ca.mustCert(["renew", "alice"]);
      // The new files as they stand before the first rename, less one.
      const made = join(ca.folder, "new");
      renameSync(ca.pki, made);
      for (const action of ["list", "issue", "revoke"]) {
        cpSync(old, ca.pki, { recursive: true });
        const commit = join(ca.pki, ".commit");
        cpSync(made, commit, { recursive: true });
        for (const name of ["ca.key", "ca.crt"]) rmSync(join(commit, name));
        renameSync(join(commit, "alice.key"), join(ca.pki, "alice.key"));
        const name = { list: [], issue: ["bob"], revoke: ["alice"] }[action]!;
        await ca.mustCert([action, ...name]);
        assert(!existsSync(commit));
        assertEquals(
          (await ca.list()).some(({ state }) => {
            return state === "renewed" || state === "revoked";
          }),
          true,
        );
        if (action !== "revoke") await assertWhole(ca, "alice");
        rmSync(ca.pki, { recursive: true });
      }
    }));

  test("at any time, leaves what the next one can use", () =>
    withAlice(async (ca) => {
      const [program, ...words] = programUnderTest();
      for (let round = 0; round < 8; round++) {
        const child = spawn(
          program!,
          [...words, "cert", "renew", "alice"],
          { cwd: ca.folder, stdio: "ignore" },
        );
        const over = new Promise((resolve) => child.once("exit", resolve));
        await sleep(80 + 40 * round);
        child.kill("SIGKILL");
        await over;
        const all = await ca.list();
        assert(all.length >= 2);
        await assertWhole(ca, "alice");
      }
      await ca.mustCert(["revoke", "alice"]);
      assertMatch(await ca.verify("alice.crt"), /certificate revoked/);
    }));
});

describe("tcpmux cert says what is wrong with", needs("openssl"), () => {
  test("openssl(1) that is missing, old, or fails", () =>
    withTestCa(async (ca) => {
      const none = await ca.cert(["init"], { PATH: "/nonexistent" });
      assertEquals(none.code, 78, none.err);
      assertMatch(
        none.err,
        /no openssl\(1\) in \S*\/nonexistent \(install the/,
      );
      const old = await ca.cert(["init"], ca.pathWith("echo LibreSSL 3.3.6"));
      assertEquals(old.code, 78);
      assertMatch(
        old.err,
        /is LibreSSL 3\.3\.6; needed: OpenSSL 3\.0 or later/,
      );
      assertEquals(readdirSync(ca.folder), ["bin"]);
      await ca.mustCert(["init"]);
      const before = filesOf(ca);
      const fails = ca.pathWith(
        `[ "$1" = ca ] && { echo a reason >&2; exit 1; }; exec $REAL "$@"`,
      );
      const failed = await ca.cert(["issue", "x"], fails);
      assertEquals(failed.code, 74);
      assertMatch(failed.err, /openssl ca has failed \(exit 1\): a reason/);
      const cut = ca.pathWith(
        `[ "$1" = genpkey ] && { $REAL "$@" | head -c 99; exit; }; exec $REAL "$@"`,
      );
      const { code, err } = await ca.cert(["issue", "x"], cut);
      assertEquals(code, 74);
      assertMatch(err, /openssl has printed no whole PRIVATE KEY/);
      assertEquals(filesOf(ca), before);
    }));

  test("a folder in which others can write", () =>
    withTestCa(async (ca) => {
      mkdirSync(ca.pki);
      chmodSync(ca.pki, 0o777);
      const { code, err } = await ca.cert(["init"]);
      assertEquals(code, 77);
      assertMatch(err, /pki: others can write in it \(chmod go-w pki\)/);
    }));

  test("a folder of another user", {
    ...needs("setpriv"),
    ...needsRoot(),
  }, () =>
    withTestCa(async (ca) => {
      await ca.mustCert(["init"]);
      chmodSync(ca.pki, 0o700);
      chownSync(ca.pki, 54321, 54321);
      const capabilities = "-dac_override,-dac_read_search";
      for (const action of ["init", "list"]) {
        const { code, err } = await runCommand([
          ...["setpriv", `--inh-caps=${capabilities}`],
          ...[`--bounding-set=${capabilities}`, "--"],
          ...[...programUnderTest(), "cert", action],
        ], { cwd: ca.folder });
        assertEquals(code, 77, err);
        assertMatch(err, /cannot work in pki: permission denied \(EACCES\) \(/);
      }
    }));

  test("a full disk and one that is read-only, and changes nothing", {
    ...needs("unshare", "mount"),
    ...needsRoot(),
  }, () =>
    withTestCa(async (ca) => {
      const program = programUnderTest().map(quoted).join(" ");
      const script = `
mount -t tmpfs -o size=128k none ${quoted(ca.folder)} && cd ${quoted(ca.folder)}
cert() { ${program} cert "$@"; echo "exit $?"; }
cert init; cert issue alice
dd if=/dev/zero of=fill bs=1k 2> /dev/null
cert issue bob; cert renew alice; cert revoke alice
mount -o remount,ro none .
cert issue bob; cert list
mount -o remount,rw none .
rm fill; cert issue bob; cert list
cd pki && exec openssl verify -CAfile ca.crt -crl_check -CRLfile crl.pem alice.crt bob.crt`;
      const { out, err } = await runCommand(
        ["unshare", "-m", "sh", "-c", script],
      );
      const codes = [...out.matchAll(/^exit (\d+)$/gm)].map(([, code]) => code);
      const expected = ["0", "0", "74", "74", "74", "74", "0", "0", "0"];
      assertEquals(codes, expected, `${out}${err}`);
      assertMatch(err, /pki: the disk is full \(make room\)/);
      assertMatch(err, /pki: the file system is read-only \(name another fold/);
      assertMatch(out, /alice\.crt: OK\nbob\.crt: OK\n$/);
    }));
});
