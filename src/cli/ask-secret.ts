import { UsageError } from './exit-codes.ts';

/** What is needed of a terminal's input. */
export type TerminalInput = NodeJS.ReadableStream &
  Pick<NodeJS.ReadStream, 'isTTY' | 'setRawMode' | 'setEncoding'>;

/**
 * Asks a question on the terminal and reads one line that is not shown. The terminal is left as it was found, whatever
 * happens. @throws UsageError without a terminal, or when the person gives up with Ctrl-C or Ctrl-D
 */
export async function askSecret(
  question: string,
  input: TerminalInput = process.stdin,
  output: NodeJS.WritableStream = process.stderr,
): Promise<string> {
  if (!input.isTTY)
    throw new UsageError('there is no terminal to ask for the passphrase on; use --passphrase-file FILE');
  input.setEncoding('utf8');
  input.setRawMode(true);
  output.write(question);
  try {
    return await readLine(input);
  } finally {
    input.setRawMode(false);
    input.pause();
    output.write('\n');
  }
}

function readLine(input: TerminalInput): Promise<string> {
  return new Promise((resolve, reject) => {
    let line: string[] = [];
    const giveUp = (): void => {
      input.off('data', take);
      reject(new UsageError('no passphrase was given; nothing was sent'));
    };
    const take = (text: string): void => {
      for (const character of text) {
        if (character === '\r' || character === '\n') {
          input.off('data', take).off('end', giveUp);
          resolve(line.join(''));
          return;
        }
        if (character === '\u0003' || character === '\u0004') {
          giveUp();
          return;
        }
        // Backspace sends one or the other, and Ctrl-U starts again.
        if (character === '\u007f' || character === '\b') line.pop();
        else if (character === '\u0015') line = [];
        else if (character >= ' ') line.push(character);
      }
    };
    input.on('data', take).once('end', giveUp);
    input.resume();
  });
}
