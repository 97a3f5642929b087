import { closestString, levenshteinDistance } from "@std/text";

/** The word that was probably meant, or undefined where none is like it. */
export function nearest(
  given: string,
  words: readonly string[],
): string | undefined {
  if (words.length === 0) return undefined;
  const word = closestString(given, words);
  const distance = levenshteinDistance(given.toLowerCase(), word.toLowerCase());
  return distance <= Math.max(1, Math.floor(word.length / 3))
    ? word
    : undefined;
}
