/**
 * The command line, said once: parsing, help, completions, tcpmux(1) and
 * docs/commands.md are made from this data. In all texts, words between
 * backticks are literal, and words in upper case stand for something else.
 */
import { CONNECT, LIST, PROBE } from "./spec/clients.ts";
import { CERT, EXPORT, IMPORT } from "./spec/makers.ts";
import { type CommandSpec, EXIT_CODES } from "./spec/parts.ts";
import {
  DISABLE,
  DRAIN,
  ENABLE,
  KILL,
  RELOAD,
  SESSIONS,
  STATUS,
} from "./spec/operators.ts";
import { CHECK, EXPLAIN, FORWARD, PROXY, SERVE } from "./spec/servers.ts";

export const COMPLETIONS = {
  name: "completions",
  about: "print a completion script for a shell",
  description: [
    "Prints a script with which the shell completes commands, flags, file " +
    "names and names of services. It asks the server for the services.",
  ],
  positionals: [{
    name: "SHELL",
    kind: "choice",
    choices: ["bash", "zsh", "fish"],
    about: "a shell",
  }],
  flags: {},
  exits: [{ ...EXIT_CODES.done, meaning: "success" }, EXIT_CODES.usage],
  examples: [
    {
      about: "load the completions into the running bash",
      lines: [". <(tcpmux completions bash)"],
    },
    {
      about: "install the completions for every session (one of these lines)",
      lines: [
        "tcpmux completions bash > /etc/bash_completion.d/tcpmux",
        "tcpmux completions zsh > /usr/local/share/zsh/site-functions/_tcpmux",
        "tcpmux completions fish > ~/.config/fish/completions/tcpmux.fish",
      ],
    },
  ],
} as const satisfies CommandSpec;

/** In the order in which they are shown. */
export const COMMANDS = [
  SERVE,
  CHECK,
  EXPLAIN,
  CONNECT,
  LIST,
  FORWARD,
  PROXY,
  PROBE,
  IMPORT,
  EXPORT,
  CERT,
  STATUS,
  SESSIONS,
  RELOAD,
  DISABLE,
  ENABLE,
  KILL,
  DRAIN,
  COMPLETIONS,
] as const satisfies readonly CommandSpec[];

export type CommandName = (typeof COMMANDS)[number]["name"];
