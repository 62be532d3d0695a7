import type { Notification, NotifyResult } from '../../contracts/notification.ts';
import { NotifierError } from '../../notifiers/notifier.ts';
import { failure } from '../failures.ts';
import { withHeartbeat } from '../heartbeat.ts';
import type { Channels } from './channels.ts';

/** What the notification activities need. */
export interface NotificationDependencies {
  channels: Channels;
}

/** A channel that was asked, and why it did not take the notification. */
interface Sending {
  channel: string;
  error?: NotifierError;
}

/** Tells people. */
export function createNotificationActivities({ channels }: NotificationDependencies) {
  return {
    /**
     * Sends one notification to every channel; one that is missing, faulty or refuses is named in the result.
     * At least once: when a channel asks to be tried again, the next attempt tells all of them again, with the same
     * idempotency key, by which a receiver knows what it had. @throws NotifierUnavailable after all were tried.
     */
    notify: ({
      channels: names,
      notification,
    }: {
      channels: string[];
      notification: Notification;
    }): Promise<NotifyResult> =>
      withHeartbeat(async (signal) => {
        const asked = [...new Set(names)];
        return judge(
          await Promise.all(asked.map((channel) => send(channels, channel, notification, signal))),
        );
      }),
  };
}

async function send(
  channels: Channels,
  channel: string,
  notification: Notification,
  signal: AbortSignal,
): Promise<Sending> {
  try {
    signal.throwIfAborted();
    const notifier = await channels.open(channel);
    await notifier.send(notification, signal);
    return { channel };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof NotifierError) return { channel, error };
    // Its text may hold anything, an address included.
    throw failure('Internal', `fault in a notifier: ${error instanceof Error ? error.name : typeof error}`);
  }
}

function judge(sendings: Sending[]): NotifyResult {
  const errors = sendings.flatMap(({ error }) => error ?? []);
  if (errors.some(({ retryable }) => retryable)) {
    const waits = errors.flatMap(({ retryAfterSeconds }) => retryAfterSeconds ?? []);
    const sentences = errors.map(({ message }) => message).join('; ');
    throw failure('NotifierUnavailable', sentences, waits.length === 0 ? undefined : Math.max(...waits));
  }
  return {
    sent: sendings.flatMap(({ channel, error }) => (error === undefined ? [channel] : [])),
    failed: sendings.flatMap(({ channel, error }) =>
      error === undefined ? [] : [{ channel, sentence: error.message }],
    ),
  };
}
