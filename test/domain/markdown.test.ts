import { describe, expect, test } from '@jest/globals';
import { code, escapeMarkdown } from '../../src/domain/markdown.ts';
import { hostileTexts } from '../support/builders.ts';

describe('escaping for Markdown', () => {
  test('nothing formats, links, or opens a placeholder', () => {
    expect(escapeMarkdown('**a** _b_ `c` [d](e) <f> {g} h|i ~j~ #k !l \\')).toBe(
      '\\*\\*a\\*\\* \\_b\\_ \\`c\\` \\[d\\]\\(e\\) \\<f\\> \\{g\\} h\\|i \\~j\\~ \\#k \\!l \\\\',
    );
  });

  test.each(hostileTexts.map((text) => [text.slice(0, 30), text]))('%j stays on one line', (_name, text) => {
    expect(escapeMarkdown(text)).not.toMatch(/[\p{Cc}\p{Cs}\p{Zl}]/u);
    expect(escapeMarkdown(text)).not.toMatch(/(?<!\\)[|<{[*`]/);
  });
});

describe('a code span', () => {
  test.each([
    ['name', '`name`'],
    ['a`b', '`` a`b ``'],
    ['```', '```` ``` ````'],
    ['', '` `'],
    ['two\nlines', '`two lines`'],
  ])('of %j', (text, expected) => {
    expect(code(text)).toBe(expected);
  });

  test('many runs of backticks do not overflow the stack, which once would have hung a run', () => {
    expect(code('` '.repeat(500_000)).startsWith('`` ')).toBe(true);
  });
});
