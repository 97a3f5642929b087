import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A TCPMUX server that is not ours. */
export interface ForeignServer {
  readonly host: string;
  readonly port: number;
  /** Both, as our client takes them. */
  readonly address: string;
}

/** A service of such a server: a program without arguments. */
export interface ForeignService {
  readonly name: string;
  readonly program: string;
  /** The program sends its `+` or `-` line itself. */
  readonly ownReply?: boolean;
  /** Where the server knows such a thing, it lets nobody in. */
  readonly denied?: boolean;
}

/** What they all serve; `folder` takes the programs that are ours. */
export function foreignServices(folder: string): ForeignService[] {
  const script = (name: string, text: string) => {
    const program = join(folder, name);
    writeFileSync(program, `#!/bin/sh\n${text}\n`);
    chmodSync(program, 0o755);
    return program;
  };
  const own = script("own", `printf '+mine, at your service\\r\\n'\nexec cat`);
  const moody = script("moody", `printf '%s\\r\\n' '-not today'`);
  return [
    { name: "cat", program: "/bin/cat" },
    { name: "digest", program: "/usr/bin/sha256sum" },
    { name: "own", program: own, ownReply: true },
    { name: "moody", program: moody, ownReply: true },
  ];
}
