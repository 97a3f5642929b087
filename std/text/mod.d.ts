/** The candidate with the least edit distance. Throws without candidates. */
export declare function closestString(
  given: string,
  candidates: ReadonlyArray<string>,
): string;
/** How many edits make one text of the other. */
export declare function levenshteinDistance(a: string, b: string): number;
