/** How many tests passed, failed and were skipped: any of the three runners. */
export function countsIn(output) {
  // Deno counts what stands at the top of a file, and steps below it.
  const ofDeno =
    /(\d+) passed(?: \((\d+) steps?\))? \| (\d+) failed(?: \((\d+) steps?\))?(?: \| (\d+) ignored)?(?: \((\d+) steps?\))?/
      .exec(output);
  if (ofDeno) {
    const [, passed, steps, failed, failedSteps, ignored, ignoredSteps] = ofDeno
      .map((count) => Number(count ?? 0));
    return {
      passed: steps || passed,
      failed: failedSteps || failed,
      skipped: ignoredSteps || ignored,
    };
  }
  const last = (pattern) =>
    Number([...output.matchAll(pattern)].at(-1)?.[1] ?? 0);
  return {
    passed: last(/^ℹ pass (\d+)$/gm) || last(/^ *(\d+) pass$/gm),
    // What Node cancels has run out of time.
    failed: last(/^ℹ fail (\d+)$/gm) + last(/^ℹ cancelled (\d+)$/gm) ||
      last(/^ *(\d+) fail$/gm),
    skipped: last(/^ℹ skipped (\d+)$/gm) || last(/^ *(\d+) skip$/gm),
  };
}
