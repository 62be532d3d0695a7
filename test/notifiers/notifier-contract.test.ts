import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createLogNotifier } from '../../src/notifiers/log.ts';
import type { Notifier } from '../../src/notifiers/notifier.ts';
import { createNotifier } from '../../src/notifiers/registry.ts';
import { hostileTexts } from '../support/builders.ts';
import { aNotification, Receiver } from './support/receiver.ts';

/** What came out at the other end: the notifications, as JSON. */
interface Bench {
  notifier: Notifier;
  arrived: () => unknown[];
}

let receiver: Receiver;
beforeAll(async () => {
  receiver = await Receiver.start();
});
afterAll(async () => {
  await receiver.close();
});

/** Every notifier, with a way to see what it told. A new one gets its line here. */
const benches: Record<string, () => Bench> = {
  log: () => {
    const lines: string[] = [];
    const notifier = createLogNotifier((line) => lines.push(line));
    return {
      notifier,
      arrived: () => lines.map((line) => (JSON.parse(line) as { notification: unknown }).notification),
    };
  },
  webhook: () => {
    const before = receiver.received.length;
    return {
      notifier: createNotifier('ops', receiver.config()),
      arrived: () => receiver.received.slice(before).map(({ body }) => JSON.parse(body) as unknown),
    };
  },
};

const never = new AbortController().signal;

describe.each(Object.entries(benches))('every notifier: %s', (_name, open) => {
  test('has a name', () => {
    expect(open().notifier.name).toMatch(/^[a-z0-9-]+$/);
  });

  test('tells everything that the notification says', async () => {
    const { notifier, arrived } = open();
    const one = aNotification({
      id: 'all',
      breakGlass: { by: 'Ada', reason: 'Git is down' },
      outcome: 'undone',
    });
    await notifier.send(one, never);
    expect(arrived()).toEqual([one]);
  });

  test('tells the least notification, too', async () => {
    const { notifier, arrived } = open();
    const { planHash: ignored, gate, deadline, ...least } = aNotification({ id: 'least', event: 'runEnded' });
    expect([ignored, gate, deadline]).not.toContain(undefined);
    await notifier.send(least, never);
    expect(arrived()).toEqual([least]);
  });

  test('takes the same notification again without complaint', async () => {
    const { notifier } = open();
    const one = aNotification({ id: 'twice' });
    await notifier.send(one, never);
    await expect(notifier.send(one, never)).resolves.toBeUndefined();
  });

  test.each(hostileTexts.map((text) => [text.slice(0, 20), text]))(
    'keeps %j as data, in its text and in its key',
    async (_shown, text) => {
      const { notifier, arrived } = open();
      const one = aNotification({ id: `hostile/${text.slice(0, 50)}`, sentence: text });
      await notifier.send(one, never);
      expect(arrived()).toEqual([one]);
    },
  );
});
