/** Shells on other machines: sshd, dropbear, telnetd. */
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { pattern } from "../bytes.ts";
import { run } from "../run.ts";
import { sshdFiles, sshOptions } from "../sshd.ts";
import { sleep, until } from "../wait.ts";
import { client, type ServedProgram } from "./program.ts";

const sshd: ServedProgram = {
  name: "ssh",
  title: "OpenSSH, `sshd -i`",
  packages: ["openssh-server", "openssh-client"],
  needs: ["sshd", "ssh", "scp", "ssh-keygen"],
  exec: (file) => [
    ...["/usr/sbin/sshd", "-i", "-f"],
    file("ssh/config", "/etc/ssh/sshd_config"),
  ],
  prepare: async (folder) => void await sshdFiles(join(folder, "ssh")),
  async use({ folder, line }) {
    const file = (name: string) => join(folder, "ssh", name);
    const user = String(await client(["id", "-un"])).trim();
    const options = sshOptions(join(folder, "ssh"), user, line);
    const much = pattern(3_000_000);
    const ran = await run(["ssh", ...options, "tcpmux.test", "cat"], {
      input: much,
      timeout: 20_000,
    });
    assertEquals([ran.code, ran.stderr], [0, ""]);
    assert(ran.stdout.equals(much));
    writeFileSync(file("there"), much);
    const from = `tcpmux.test:${file("there")}`;
    await client(["scp", "-q", ...options, from, file("back")]);
    assert(readFileSync(file("back")).equals(much));
  },
};

const dropbear: ServedProgram = {
  name: "dropbear",
  title: "Dropbear, `dropbear -i`",
  packages: ["dropbear-bin"],
  needs: ["dropbear", "dropbearkey", "ssh", "ssh-keyscan"],
  exec: (file) => [
    ...["/usr/sbin/dropbear", "-i", "-r"],
    file("dropbear/key", "/etc/dropbear/dropbear_ed25519_host_key"),
  ],
  async prepare(folder) {
    const key = join(folder, "dropbear/key");
    await client(["dropbearkey", "-t", "ed25519", "-f", key]);
  },
  async use({ folder, port, line }) {
    const key = join(folder, "dropbear/key");
    const own = await client(["dropbearkey", "-y", "-f", key]);
    const [, wanted] = /^ssh-ed25519 (\S+)/m.exec(own)!;
    const scan = ["ssh-keyscan", "-t", "ed25519", "-p", String(port)];
    const found = await client([...scan, "127.0.0.1"]);
    assert(found.includes(wanted!), found);
    // It takes keys from users' own folders alone, so nobody is let in.
    const ran = await run([
      ...["ssh", "-F", "none", "-o", "BatchMode=yes"],
      ...["-o", "UserKnownHostsFile=/dev/null", "-o", `ProxyCommand=${line}`],
      ...["-o", "StrictHostKeyChecking=no", "-o", "IdentityFile=none"],
      ...["tcpmux.test", "true"],
    ], { timeout: 20_000 });
    assertMatch(ran.stderr, /Permission denied \(publickey/);
  },
};

const telnetd: ServedProgram = {
  name: "telnet",
  title: "GNU inetutils, `telnetd`",
  packages: ["inetutils-telnetd", "inetutils-telnet"],
  needs: ["telnetd", "telnet"],
  asRoot: true,
  exec: (file) => [
    ...["/usr/sbin/telnetd", "-h", "-E"],
    file("telnet/login", "/bin/login"),
  ],
  prepare(folder) {
    const script = `#!/bin/sh\necho say:\nread word\necho "said $word"\n`;
    writeFileSync(join(folder, "telnet/login"), script, { mode: 0o755 });
  },
  async use({ port }) {
    // On a busy machine telnetd itself stands still in every fourth session
    // (behind socat as well): a new session is all that helps.
    for (let sessions = 1; !await answers(port); sessions++) {
      assert(sessions < 15, "telnetd stood still in each session");
    }
  },
};

/** Has one session with the script behind telnetd. */
async function answers(port: number): Promise<boolean> {
  const telnet = spawn("telnet", ["127.0.0.1", String(port)]);
  let said = "";
  telnet.stdin.on("error", () => {}); // it may have left
  telnet.stdout.on("data", (bytes) => said += String(bytes));
  const exited = new Promise((resolve) => telnet.once("close", resolve));
  telnet.once("close", () => said += "CLOSED");
  try {
    await until("it asks", () => /say:|CLOSED/.test(said));
    assertMatch(said, /say:/);
    // Setting up its terminal may flush what was typed until then.
    for (let looks = 0; looks < 100 && !/CLOSED/.test(said); looks++) {
      if (looks % 25 === 0) telnet.stdin.write("tcpmux\n");
      await sleep(20);
      if (/said tcpmux/.test(said)) return true;
    }
    return false;
  } finally {
    telnet.kill();
    await exited;
  }
}

export const SHELLS: readonly ServedProgram[] = [sshd, dropbear, telnetd];
