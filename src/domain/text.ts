/** Line breaks, control characters and the marks that reorder text: a reader would see something else than is there. */
const unprintable = /[\p{Cc}\p{Zl}\p{Zp}\u202A-\u202E\u2066-\u2069]+/gu;

/** Text from elsewhere as one line of valid Unicode: half a surrogate pair in a failure message hangs a run. */
export function oneLine(text: string): string {
  return text.toWellFormed().replace(unprintable, ' ');
}

/** The beginning of a text from elsewhere, as one line of at most `most` characters. */
export function excerpt(text: string, most = 60): string {
  return text.length > most ? `${oneLine(text.slice(0, most - 1))}…` : oneLine(text);
}

/** `1 object`, `2 objects`: for nouns that take an s. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
