import type { Outcome, RunRef } from './run.ts';

/** What people are told of: places where a run waits for them, overridden guards, and how it ended. */
type NotificationEvent = 'gateOpened' | 'gateReminder' | 'breakGlass' | 'runEnded';

/** One happening, as every channel is told of it. It holds names and sentences only: no values, no credentials. */
export interface Notification {
  /** Idempotency key: unique per happening, and the same at every attempt to tell of it. */
  id: string;
  event: NotificationEvent;
  /** When it happened: ISO 8601 in UTC. */
  at: string;
  target: string;
  run: RunRef;
  /** One sentence for a person. */
  sentence: string;
  /** Of the plan that people are asked about. */
  planHash?: string;
  /** Id of the gate. */
  gate?: string;
  /** Until when the gate waits: ISO 8601 in UTC. */
  deadline?: string;
  /** With `runEnded`. */
  outcome?: Outcome;
  /** With `breakGlass`: who overrode guards, and why. */
  breakGlass?: { by: string; reason: string };
}

/** A channel that did not take a notification and will not take it later, and why. */
interface FailedChannel {
  channel: string;
  sentence: string;
}

/** Which channels took a notification. */
export interface NotifyResult {
  sent: string[];
  failed: FailedChannel[];
}
