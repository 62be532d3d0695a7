import { expect, test } from '@jest/globals';
import { createLogNotifier } from '../../src/notifiers/log.ts';
import { hostileTexts } from '../support/builders.ts';
import { aNotification } from './support/receiver.ts';

test('a notification is one line, which cannot move a cursor or turn text round', async () => {
  const lines: string[] = [];
  const notifier = createLogNotifier((line) => lines.push(line));
  await notifier.send(
    aNotification({ sentence: `${hostileTexts.slice(0, 5).join(' ')}\u009b2J` }),
    AbortSignal.abort(),
  );
  expect(lines).toHaveLength(1);
  expect(lines[0]).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u);
  expect(lines[0]).toContain('\\u202e');
});
