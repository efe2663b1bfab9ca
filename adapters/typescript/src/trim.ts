/**
 * Cuts characters off both ends of a text. A regular expression such as / +$/ would look for the end from every space, and take a time
 * that grows with the square of what a request has sent.
 */
export function trim(text: string, characters: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && characters.includes(text.charAt(start))) {
    start++;
  }
  while (end > start && characters.includes(text.charAt(end - 1))) {
    end--;
  }
  return text.slice(start, end);
}

/** Cuts spaces and tabs off, as fields are read. */
export function trimBlank(text: string): string {
  return trim(text, " \t");
}
