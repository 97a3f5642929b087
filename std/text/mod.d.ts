/** The candidate with the least edit distance. Throws without candidates. */
export declare function closestString(
  given: string,
  candidates: ReadonlyArray<string>,
): string;
