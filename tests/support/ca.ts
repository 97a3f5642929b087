/** A CA that `tcpmux cert` keeps in a folder of a test. */
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { assertEquals } from "@std/assert";
import { type Result, runCommand, tcpmux } from "./command.ts";
import { withFolder } from "./daemon.ts";
import { findProgram } from "./needs.ts";

/** A folder with a CA in `pki`. */
export class TestCa {
  readonly folder: string;
  readonly pki: string;

  constructor(folder: string) {
    this.folder = folder;
    this.pki = join(folder, "pki");
  }

  /** Runs `tcpmux cert` on it. */
  cert(
    words: readonly string[],
    env: Record<string, string> = {},
  ): Promise<Result> {
    return tcpmux(["cert", ...words], { cwd: this.folder, env });
  }

  /** The same, where it must succeed. */
  async mustCert(
    words: readonly string[],
    env: Record<string, string> = {},
  ): Promise<string> {
    const { code, out, err } = await this.cert(words, env);
    assertEquals([code, err], [0, ""], words.join(" "));
    return out;
  }

  async list(): Promise<Record<string, unknown>[]> {
    return JSON.parse(await this.mustCert(["list", "--json"]));
  }

  /** Runs openssl(1) in the CA's folder, as anybody may. */
  openssl(...words: string[]): Promise<Result> {
    return runCommand(["openssl", ...words], { cwd: this.pki });
  }

  /** What `openssl verify` says of a certificate: empty where it is good. */
  async verify(file: string, ...options: string[]): Promise<string> {
    const { code, out, err } = await this.openssl(
      ...["verify", "-x509_strict", "-CAfile", "ca.crt"],
      ...["-crl_check", "-CRLfile", "crl.pem", ...options, file],
    );
    return code === 0 ? "" : `${out}${err}`;
  }

  /**
   * A PATH on which openssl(1) is a script of ours.
   *
   * @param script of sh(1), which finds the real one in `$REAL`
   */
  pathWith(script: string): Record<string, string> {
    const bin = join(this.folder, "bin");
    mkdirSync(bin, { recursive: true });
    writeFileSync(
      join(bin, "openssl"),
      `#!/bin/sh\nREAL=${findProgram("openssl")}\n${script}\n`,
    );
    chmodSync(join(bin, "openssl"), 0o755);
    return { PATH: `${bin}:${process.env.PATH}` };
  }
}

/** Runs `use` with a folder in which there is no CA yet. */
export function withTestCa(
  use: (ca: TestCa) => Promise<void>,
): Promise<void> {
  return withFolder((folder) => use(new TestCa(folder)));
}
