import type { Notification } from '../contracts/notification.ts';

/** One way to tell people of something. How to add one: CONTRIBUTING.md, "A new notifier". */
export interface Notifier {
  /** Of the channel, as profiles name it. */
  readonly name: string;
  /**
   * Tells of one happening. The same notification may come several times (Temporal repeats): what receives it can
   * recognise it by its id. Returns when it was taken.
   * @throws {@link NotifierError}, or the signal's reason when the caller ended it.
   */
  send(notification: Notification, signal: AbortSignal): Promise<void>;
}

/**
 * Why a channel did not take a notification. Its message is one sentence of our own making: no address, no secret, and
 * nothing of an answer, so it may be logged and stored.
 */
export class NotifierError extends Error {
  override readonly name = 'NotifierError';
  /** Whether sending the same again later can help; when false, something must change first. */
  readonly retryable: boolean;
  /** Seconds that the receiver asked us to wait. */
  readonly retryAfterSeconds?: number;

  constructor(sentence: string, { retryable, retryAfterSeconds }: RetryAdvice) {
    super(sentence);
    this.retryable = retryable;
    if (retryAfterSeconds !== undefined) this.retryAfterSeconds = retryAfterSeconds;
  }
}

interface RetryAdvice {
  retryable: boolean;
  retryAfterSeconds?: number | undefined;
}
