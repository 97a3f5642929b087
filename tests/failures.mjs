// What failed in a run, cut from what any of the three test runners says.
import { stripVTControlCharacters } from "node:util";

/** Most lines of an excerpt that tell of one Bun test that failed. */
const MAX_LINES = 60;

/** Most characters of a line that tells why a test failed. */
const MAX_REASON = 300;

/**
 * @returns what was said of the tests that failed, and for each of them a
 * line that names it and what was wrong
 */
export function failuresIn(output) {
  const plain = stripVTControlCharacters(output);
  const parts = ofDeno(plain) ?? ofNode(plain) ?? ofBun(plain);
  return {
    text: parts.map(({ text }) => text.trim()).join("\n\n"),
    names: [
      ...new Set(parts.map(({ name, text }) => name + reasonIn(text))),
    ],
  };
}

function ofDeno(output) {
  const said = / ERRORS \n([^]*)\n FAILURES \n([^]*?)\nFAILED \|/.exec(output);
  if (said === null) return undefined;
  const [, text, names] = said;
  const starts = lines(names).map((name) => ({
    name: name.trim(),
    at: text.indexOf(name.trim()),
  }));
  return starts.map(({ name, at }, i) => ({
    name: name.replace(/ => .*/, ""),
    text: text.slice(at, starts[i + 1]?.at),
  }));
}

function ofNode(output) {
  const said = /^✖ failing tests:$([^]*)/m.exec(output);
  return said?.[1].split(/^(?=test at )/m)
    .map((text) => ({ name: /^✖ (.*)$/m.exec(text)?.[1], text }))
    .filter(({ name }) => name !== undefined);
}

/** Bun says what was wrong before it says what failed, and names all again. */
function ofBun(output) {
  const [once] = output.split(/^\d+ tests failed:$/m);
  return once.split(/(?<=^\((?:pass|fail|skip|todo)\) .*\n)/m)
    .map((part) => ({
      name: /^\(fail\) (.*)$/m.exec(part)?.[1],
      text: lines(part).slice(-MAX_LINES).join("\n"),
    }))
    .filter(({ name }) => name !== undefined);
}

/** The line that says what was wrong, and after it what differed. */
function reasonIn(text) {
  const error = /^ *(?:error: )?(\w*error\b.*)$/im.exec(text)?.[1];
  if (error === undefined) return "";
  const differences = text.match(/^ *[-+] +.*$/gm) ?? [];
  return `: ${[error, ...differences].join(" ").replace(/\s+/g, " ")}`
    .slice(0, MAX_REASON);
}

function lines(text) {
  return text.split("\n").filter((line) => line.trim() !== "");
}
