/**
 * Text from elsewhere (names, reasons, answers) as literal Markdown: it can neither format nor link,
 * and the Temporal UI's own placeholders in braces stay text.
 */
export function escapeMarkdown(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ').replace(/[\\`*_{}[\]<>()#|!~]/g, (character) => `\\${character}`);
}

/** Text as an inline code span, whatever backticks it holds. */
export function code(text: string): string {
  const clean = text.replace(/\p{Cc}+/gu, ' ');
  const longest = Math.max(0, ...[...clean.matchAll(/`+/g)].map((match) => match[0].length));
  const fence = '`'.repeat(longest + 1);
  return longest === 0 ? `${fence}${clean}${fence}` : `${fence} ${clean} ${fence}`;
}
