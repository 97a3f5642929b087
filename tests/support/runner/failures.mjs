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
  const said = / ERRORS \n([^]*)\n FAILURES \n/.exec(output);
  return said && named(/^(.*) => /, said[1].split(/^(?=.* => \S+:\d+:\d+$)/m));
}

function ofNode(output) {
  const said = /^✖ failing tests:$([^]*)/m.exec(output);
  return said && named(/^✖ (.*)$/m, said[1].split(/^(?=test at )/m));
}

/** Bun says what was wrong before it says what failed, and names all again. */
function ofBun(output) {
  const [once] = output.split(/^\d+ tests failed:$/m);
  const parts = once.split(/(?<=^\((?:pass|fail|skip|todo)\) .*\n)/m)
    .map((part) => lines(part).slice(-MAX_LINES).join("\n"));
  return named(/^\(fail\) (.*)$/m, parts);
}

/** The parts that tell of a test that failed, each with that test's name. */
function named(pattern, parts) {
  return parts.map((text) => ({ name: pattern.exec(text)?.[1], text }))
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
