import { Context } from '@temporalio/activity';

/** At most this often; with a short heartbeat timeout more often. */
const everyMilliseconds = 3000;

/**
 * Heartbeats for as long as `work` runs, and hands it the signal that ends when Temporal wants the activity to stop.
 * What work says is shown beside the pending activity in the Temporal UI.
 */
export async function withHeartbeat<T>(
  work: (signal: AbortSignal, say: (sentence: string) => void) => Promise<T>,
): Promise<T> {
  const context = Context.current();
  let said: string | undefined;
  const beat = (): void => {
    context.heartbeat(said);
  };
  beat();
  // Several times within the timeout, so that one lost heartbeat ends nothing.
  const third = (context.info.heartbeatTimeoutMs ?? Infinity) / 3;
  const timer = setInterval(beat, Math.min(everyMilliseconds, third));
  try {
    return await work(context.cancellationSignal, (sentence) => {
      if (said === sentence) return;
      said = sentence;
      beat();
    });
  } finally {
    clearInterval(timer);
  }
}
