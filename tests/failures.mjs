// What failed in a run, cut from what any of the three test runners says.

/** Most lines of an excerpt that tell of one Bun test that failed. */
const MAX_LINES = 60;

/**
 * @returns the names of the tests that failed, and what was said of them
 */
export function failuresIn(output) {
  const ofDeno = / ERRORS \n([^]*)\n FAILURES \n([^]*?)\nFAILED \|/
    .exec(output);
  if (ofDeno) {
    const [, text, names] = ofDeno;
    return {
      text: text.trim(),
      names: lines(names).map((line) => line.trim()),
    };
  }
  const ofNode = /^✖ failing tests:$([^]*)/m.exec(output);
  if (ofNode) {
    const [, text] = ofNode;
    return { text: text.trim(), names: matches(text, /^✖ (.*)$/gm) };
  }
  // Bun says what was wrong before it says what failed.
  const texts = output.split(/^(?=\((?:pass|skip|todo)\) )/m)
    .flatMap((part) => part.split(/(?<=^\(fail\) .*\n)/m))
    .filter((part) => /^\(fail\) /m.test(part))
    .map((part) => lines(part).slice(-MAX_LINES).join("\n"));
  return {
    text: texts.join("\n\n"),
    names: matches(output, /^\(fail\) (.*)$/gm),
  };
}

function lines(text) {
  return text.split("\n").filter((line) => line.trim() !== "");
}

function matches(text, pattern) {
  return [...text.matchAll(pattern)].map(([, name]) => name);
}
