import { Context } from '@temporalio/activity';

/** Well inside every heartbeat timeout (15 s), so that one lost heartbeat ends nothing. */
const everyMilliseconds = 3000;

/** Heartbeats for as long as `work` runs, and hands it the signal that ends when Temporal wants the activity to stop. */
export async function withHeartbeat<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const context = Context.current();
  context.heartbeat();
  const timer = setInterval(() => {
    context.heartbeat();
  }, everyMilliseconds);
  try {
    return await work(context.cancellationSignal);
  } finally {
    clearInterval(timer);
  }
}
