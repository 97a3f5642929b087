// What is run on what. A run is a runtime, or one of the forms that are built,
// with the files that it is to run.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  bun,
  deno,
  node,
  ROOT,
  systemNode,
} from "../../../scripts/runtimes.mjs";

const BUNDLE = join(ROOT, "dist", "tcpmux.mjs");
const BINARY = join(ROOT, "dist", "tcpmux");

/** Milliseconds that one test may take, where the runner has such a limit. */
const TEST_LIMIT = 300_000;

/**
 * These attack a server, wear it out or start programs by the hundred, and take
 * by far the most time.
 */
const ATTACK = /\b(hostile|soak|guard|xinetd|output|programs|log_reader)_/;

/** Of the command line, where a runtime that cannot read a program shows. */
const COMMAND_LINE = /\b(cli|builtin)_e2e_test\.ts$/;

/** Where the sources themselves are what is tested. */
const isReading = (file) => isUnit(file) || COMMAND_LINE.test(file);

/** These take long, and tell little of a change that is under way. */
const LONG =
  /\b(fuzz|transport|net_transport|npm_package|deno_package|bundled_app|recipes)_test\.ts$/;

/** What --unit runs. */
export const isQuick = (file) => isUnit(file) && !LONG.test(file);

/** Chromium sees the same page of every program, and takes far longer. */
const BROWSER = /\badmin_page_/;

export const isUnit = (file) => !isEndToEnd(file);
const isEndToEnd = (file) => file.endsWith("_e2e_test.ts");
const isAttack = (file) => ATTACK.test(file);
const isBehaviour = (file) => isEndToEnd(file) && !isAttack(file);

/** Whether a program starts and serves at all. */
const BUILTIN = /\bbuiltin_e2e_test\.ts$/;

/**
 * The bundle is one file, and Node 26 has run all of its code by then, as Bun
 * has in the binary and Deno as sources: each of the other Nodes takes a quarter
 * of the behaviour, and what tells whether it runs at all.
 */
const SHARES = 4;
const share = (number) => (file) =>
  BUILTIN.test(file) ||
  isBehaviour(file) && !isReading(file) && !BROWSER.test(file) &&
    shareOf(file) === number;

/** By its name alone, so that no other file moves it. */
function shareOf(file) {
  let hash = 0;
  for (const char of file) hash = (31 * hash + char.charCodeAt(0)) % 65_521;
  return hash % SHARES;
}

/** Files that take tens of seconds begin first, or all would wait for them. */
const SLOW =
  /\b(hostile|soak|guard|output|programs|exec_limits|descriptors|transport|fuzz|relay|connecting|faults)_/;

/** All test files, in the order in which they begin. */
export function allFiles() {
  const rank = (file) => SLOW.test(file) ? 0 : isEndToEnd(file) ? 1 : 2;
  return readdirSync(join(ROOT, "tests"))
    .filter((name) => name.endsWith("_test.ts"))
    .map((name) => join("tests", name))
    .sort((a, b) => rank(a) - rank(b));
}

const onDeno = [deno, "test", "-A", "--no-lock", "--no-check", "--quiet"];
const onBun = [bun, "test", `--timeout=${TEST_LIMIT}`];
// Without --test, which would hold pipes to the file: whatever a test leaves
// behind would hold them too, and Node would wait for that.
const onNode = (binary) =>
  binary && [
    binary,
    "--test-reporter=spec",
    `--test-timeout=${TEST_LIMIT}`,
  ];

/**
 * Every run: its name for `--on`, a title, the command that a file is added
 * to, the files that it takes, and the program that it tests, if not the
 * sources.
 */
const RUNS = [
  {
    name: "deno",
    title: "Deno",
    command: onDeno,
    takes: () => true,
  },
  {
    name: "bun",
    title: "Bun",
    command: onBun,
    takes: (file) => isReading(file) || isAttack(file),
  },
  // It is what is installed, and starts in less time than the sources.
  {
    name: "bun",
    title: "Bun, the binary",
    command: onBun,
    takes: isBehaviour,
    program: [BINARY],
  },
  {
    name: "node26",
    title: "Node 26",
    command: onNode(node(26)),
    takes: isReading,
  },
  // Node takes the types out of all sources at each start, which takes longer
  // than all else of most tests: most programs are the bundle.
  {
    name: "node26",
    title: "Node 26, the bundle",
    command: onNode(node(26)),
    takes: (file) => !isReading(file),
    program: [node(26), BUNDLE],
  },
  {
    name: "node22",
    title: "Node 22",
    command: onNode(node(22)),
    takes: (file) => isUnit(file) || BUILTIN.test(file),
  },
  {
    name: "node22",
    title: "Node 22, the bundle",
    command: onNode(node(22)),
    // It keeps nothing of what it has stripped: 0.4 s for each command.
    takes: (file) => share(3)(file) || COMMAND_LINE.test(file),
    program: [node(22), BUNDLE],
  },
  // What is built is the same code: it is not attacked and worn out once more.
  {
    name: "built",
    title: "the bundle on the machine's own Node",
    command: onBun,
    takes: share(0),
    program: [systemNode(), BUNDLE],
  },
  {
    name: "built",
    title: "the bundle on Deno",
    command: onBun,
    takes: (file) => BUILTIN.test(file),
    program: [deno, "run", "-A", "--no-lock", BUNDLE],
  },
  {
    name: "built",
    title: "the bundle on Bun",
    command: onBun,
    takes: (file) => BUILTIN.test(file),
    program: [bun, "--no-env-file", BUNDLE],
  },
];

/**
 * The runs that are asked for, each with its files.
 *
 * @param on names of runs, or all
 * @param files which may be taken, in the order in which they begin
 * @param everywhere whether each program runs all of them, attacks too
 */
export function runsOf({ on, files, everywhere }) {
  return RUNS
    .filter(({ name }) => on === undefined || on.includes(name))
    .map((run) => {
      const all = everywhere && run.program !== undefined;
      const takes = (file) => run.takes(file) || all && isBuiltFor(file, run);
      return { ...run, files: files.filter(takes) };
    })
    .filter((run) => run.files.length > 0);
}

/** What the sources are started for runs no second time with the bundle. */
function isBuiltFor(file, { name }) {
  return isEndToEnd(file) && (name === "built" || !isReading(file));
}

/** Whether a file says that it measures time, and so needs the machine. */
export function runsAlone(file) {
  return /^\/\/ Runs alone: /m.test(readFileSync(join(ROOT, file), "utf8"));
}
