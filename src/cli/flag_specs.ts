import { CHECK_FLAGS } from "./check.ts";
import { CONNECT_FLAGS } from "./connect.ts";
import { FORWARD_FLAGS } from "./forward.ts";
import type { FlagSpec } from "./flags.ts";
import type { HELP_TEXT } from "./help.ts";
import { LIST_FLAGS } from "./list.ts";
import { PROBE_FLAGS } from "./probe.ts";
import { PROXY_FLAGS } from "./proxy.ts";
import { SERVE_FLAGS } from "./serve.ts";

/** The commands, which are those that have a help. */
export type Command = Exclude<keyof typeof HELP_TEXT, "tcpmux">;

export const COMPLETIONS_FLAGS = { values: [], words: 1 };

/** The flags of every command: what completions are made from. */
export const FLAG_SPECS: Readonly<Record<Command, FlagSpec>> = {
  serve: SERVE_FLAGS,
  check: CHECK_FLAGS,
  connect: CONNECT_FLAGS,
  list: LIST_FLAGS,
  forward: FORWARD_FLAGS,
  proxy: PROXY_FLAGS,
  probe: PROBE_FLAGS,
  completions: COMPLETIONS_FLAGS,
};
