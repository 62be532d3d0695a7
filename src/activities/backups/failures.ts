import { nameOfStorageError } from '../../clients/object-storage.ts';
import { statusOf } from '../../clients/storage-calls.ts';
import { failure, isOurs } from '../failures.ts';

/**
 * Runs calls to a store and turns their errors into failures of the catalogue; messages of the SDK may carry request
 * details and are left out. `what` names the call, as the end of "could not …". @throws StorageUnavailable, StorageRefused
 */
export async function storing<T>(signal: AbortSignal, what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    // The SDK has an error of its own for a call that was told to stop.
    signal.throwIfAborted();
    if (isOurs(error)) throw error;
    throw failure(
      isRefusal(error) ? 'StorageRefused' : 'StorageUnavailable',
      `could not ${what}: ${nameOfStorageError(error)}`,
    );
  }
}

/** Whoever is refused is refused the next time, too: somebody has to change something. */
function isRefusal(error: unknown): boolean {
  const status = statusOf(error);
  return status === 401 || status === 403 || nameOfStorageError(error) === 'NoSuchBucket';
}
