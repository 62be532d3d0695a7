import { setTimeout as pause } from 'node:timers/promises';

/** Waits for something that a fault depends on. @throws with what it was when it does not come in time. */
export async function within<T>(coming: Promise<T>, seconds: number, what: string): Promise<T> {
  const late = new AbortController();
  const deadline = pause(seconds * 1000, undefined, { signal: late.signal }).then(() => {
    throw new Error(`waited ${seconds} s for ${what}`);
  });
  deadline.catch(() => undefined);
  try {
    return await Promise.race([coming, deadline]);
  } finally {
    late.abort();
  }
}
