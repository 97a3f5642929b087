/** Programs as inetd names them, in the words of the table. */
import { basename } from "node:path";
import {
  type AddressRules,
  ADMIT_ALL,
  ADMIT_NOBODY,
  admitOnly,
  both,
} from "../access.ts";
import type { Draft } from "../draft.ts";
import type { HostsAccess } from "../hosts_access.ts";

/** Where tcpd looks for a program without a path. */
const REAL_DAEMONS = "/usr/sbin";

/** Programs that are called by the names of what they are to be. */
const MULTICALL = ["busybox", "toybox"];

export interface OldProgram {
  readonly server: string;
  /** The name that it is called by. */
  readonly name: string;
  readonly args: readonly string[];
}

/** A program and its arguments; `tcpd` gives way to what it starts. */
export function setProgram(
  draft: Draft,
  { server, name, args }: OldProgram,
): void {
  const isWrapped = isTcpd(server);
  const program = !isWrapped
    ? server
    : name.startsWith("/")
    ? name
    : `${REAL_DAEMONS}/${name}`;
  if (program === "") return draft.discard("it names no program");
  if (!program.startsWith("/")) {
    draft.close(`${program} is no absolute path, so nothing was started`);
  }
  draft.keys.exec = [program, ...args];
  // As inetd gives it; a runtime that cannot leaves it out.
  draft.keys.stdio = "socket";
  if (isWrapped) {
    draft.changed(
      `tcpd gives way to ${program}: what hosts.allow and hosts.deny say now ` +
        "is allow and deny here",
    );
  } else if (MULTICALL.includes(basename(server))) {
    draft.keys.exec = [program, name, ...args];
  } else if (basename(name) !== basename(server)) {
    draft.changed(
      `its program was called by the name ${name}, which it is not now`,
    );
  }
}

/** Who may use it, by rules of its own and by those that libwrap read. */
export function setAccess(
  draft: Draft,
  own: AddressRules,
  hosts: HostsAccess | undefined,
  daemon: string,
): void {
  const wrapped = hosts?.of(daemon);
  for (const at of wrapped?.unclear ?? []) {
    draft.close(`${at} keeps out more than addresses can tell`);
  }
  const isUnclear = wrapped !== undefined && wrapped.unclear.length > 0;
  admitOnly(
    draft,
    isUnclear ? ADMIT_NOBODY : both(own, wrapped?.rules ?? ADMIT_ALL),
  );
}

/** Whether a program is started through tcpd, which asks libwrap. */
export function isTcpd(server: string): boolean {
  return basename(server) === "tcpd";
}

/** The user of a program that ran as whoever ran the old server. */
export function setOwnUser(draft: Draft, user: string): void {
  if (user !== "") {
    draft.keys.user = user;
    return;
  }
  draft.changed(
    "it ran as the user of the old server, and runs as that of the new one, " +
      "unless user, or --user of import, names another",
  );
}
