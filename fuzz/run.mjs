// npm run fuzz: readers of what others have written; see --help.
import { spawn, spawnSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { bun, deno, install, node, ROOT } from "../scripts/runtimes.mjs";

const HELP = `npm run fuzz [-- OPTION…]

Gives each reader of bytes or text that others have written inputs that know
its grammar and break it, and holds it to its promises: any segmentation gives
the same, only the documented errors are thrown, what is written is read back.
The first input that breaks one is made as short as it can be and printed as a
line for tests/fuzz/cases.json.

  --inputs=N    for each; a million, or what takes a minute where they are slow
  --seed=S      the same inputs again; another one each time, printed
  --only=LIST   these readers; a wrong name prints all names
  --on=RUNTIME  bun, deno or node; bun is the fastest
  --help        this
`;

const { values } = parseArgs({
  options: {
    inputs: { type: "string" },
    seed: { type: "string" },
    only: { type: "string" },
    on: { type: "string", default: "bun" },
    help: { type: "boolean", default: false },
  },
});
const runtimes = {
  bun: [bun, "--no-env-file"],
  deno: [deno, "run", "-A", "--no-lock", "--no-check", "--quiet"],
  node: [node(26) ?? process.execPath],
};
const command = runtimes[values.on];
if (values.help || command === undefined) {
  console.log(HELP);
  process.exit(values.help ? 0 : 64);
}
install();

const seed = values.seed ?? String(Math.floor(Math.random() * 2 ** 32));
const names = values.only?.split(",") ?? allNames();
let failed = 0;
await Promise.all(Array.from({ length: availableParallelism() }, async () => {
  for (let name; (name = names.shift()) !== undefined;) {
    if (await fuzz(name) !== 0) failed++;
  }
}));
process.exit(failed === 0 ? 0 : 1);

function allNames() {
  const [program, ...args] = command;
  const words = [...args, "fuzz/main.ts", "--names"];
  const { stdout } = spawnSync(program, words, { cwd: ROOT, encoding: "utf8" });
  return stdout.trim().split(" ");
}

function fuzz(name) {
  const [program, ...args] = command;
  const words = [...args, "fuzz/main.ts", "--only", name, "--seed", seed];
  if (values.inputs !== undefined) words.push("--inputs", values.inputs);
  const child = spawn(program, words, { cwd: ROOT, stdio: "inherit" });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
}
