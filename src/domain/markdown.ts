import { oneLine } from './text.ts';

/**
 * Text from elsewhere (names, reasons, answers) as literal Markdown: it can neither format nor hide where a link
 * leads, and the Temporal UI's own placeholders in braces stay text.
 */
export function escapeMarkdown(text: string): string {
  return oneLine(text).replace(/[\\`*_{}[\]<>()#|!~]/g, (character) => `\\${character}`);
}

/** Text as an inline code span, whatever backticks it holds. */
export function code(text: string): string {
  const clean = oneLine(text) || ' ';
  const longest = [...clean.matchAll(/`+/g)].reduce((most, match) => Math.max(most, match[0].length), 0);
  const fence = '`'.repeat(longest + 1);
  return longest === 0 ? `${fence}${clean}${fence}` : `${fence} ${clean} ${fence}`;
}
