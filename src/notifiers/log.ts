import type { Notification } from '../contracts/notification.ts';
import type { Notifier } from './notifier.ts';

/** The channel that needs no configuration. */
export const logChannel = 'log';

/** Beyond what JSON escapes itself: what would move a terminal's cursor or reorder the line. */
const unprintable = /[\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

/** Prints every notification as one line of JSON, to the worker's log unless told otherwise. Never fails. */
export function createLogNotifier(print: (line: string) => void = console.error): Notifier {
  return {
    name: logChannel,
    send(notification: Notification): Promise<void> {
      print(JSON.stringify({ notification }).replace(unprintable, escape));
      return Promise.resolve();
    },
  };
}

/** The same character, as JSON may write it. */
function escape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
