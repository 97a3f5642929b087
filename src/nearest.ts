import { closestString, levenshteinDistance } from "@std/text";

/** The word that was probably meant, or undefined where none is similar. */
export function nearest(
  given: string,
  words: readonly string[],
): string | undefined {
  // A word of another length is not similar, and would take long to compare.
  const alike = words.filter((word) =>
    Math.abs(word.length - given.length) <= allowance(word)
  );
  if (alike.length === 0) return undefined;
  const word = closestString(given, alike);
  const distance = levenshteinDistance(given.toLowerCase(), word.toLowerCase());
  return distance <= allowance(word) ? word : undefined;
}

/** How many letters of a word may be wrong. */
function allowance(word: string): number {
  return Math.max(1, Math.floor(word.length / 3));
}
