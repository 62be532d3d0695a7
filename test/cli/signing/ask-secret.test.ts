import { PassThrough } from 'node:stream';
import { expect, test } from '@jest/globals';
import { askSecret, type TerminalInput } from '../../../src/cli/ask-secret.ts';

/** A terminal at which somebody types. */
function aTerminal({ isTTY = true } = {}) {
  const modes: boolean[] = [];
  const input = Object.assign(new PassThrough(), {
    isTTY,
    setRawMode: (raw: boolean) => {
      modes.push(raw);
    },
  });
  const output = new PassThrough({ encoding: 'utf8' });
  const ask = askSecret('Passphrase: ', input as unknown as TerminalInput, output);
  return { input, modes, ask, shown: () => String(output.read() ?? '') };
}

test.each([
  ['a line', 'open sesame\r', 'open sesame'],
  ['a line of another alphabet', 'пароль 🚒\n', 'пароль 🚒'],
  ['a mistake that was taken back', 'opem\u007fn\b🚒\u007fn\r', 'open'],
  ['a line that was begun again', 'wrong\u0015right\r', 'right'],
  ['keys that write nothing', '\u001bx\u0000\t\r', 'x'],
  ['an empty line', '\r', ''],
  ['more than a line', 'one\rtwo\r', 'one'],
])('%s is read and not shown', async (_what, typed, read) => {
  const terminal = aTerminal();
  for (const byte of Buffer.from(typed)) terminal.input.write(Buffer.from([byte]));
  expect(await terminal.ask).toBe(read);
  expect(terminal.shown()).toBe('Passphrase: \n');
  expect(terminal.modes).toEqual([true, false]);
});

test.each([
  ['Ctrl-C', '\u0003'],
  ['Ctrl-D', 'half\u0004'],
])('%s gives up and leaves the terminal as it was', async (_what, typed) => {
  const terminal = aTerminal();
  terminal.input.write(typed);
  await expect(terminal.ask).rejects.toThrow('no passphrase was given; nothing was sent');
  expect(terminal.modes).toEqual([true, false]);
});

test('a terminal that goes away gives up', async () => {
  const terminal = aTerminal();
  terminal.input.end('half');
  await expect(terminal.ask).rejects.toThrow('nothing was sent');
});

test('without a terminal nobody is asked', async () => {
  const terminal = aTerminal({ isTTY: false });
  await expect(terminal.ask).rejects.toThrow('use --passphrase-file FILE');
  expect(terminal.modes).toEqual([]);
});
