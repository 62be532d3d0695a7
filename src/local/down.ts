import { cleanUp } from './cleanup.ts';
import { isRunning, signalProcess } from './identity.ts';
import { stackDirectory } from './paths.ts';
import { readRecord, runningSupervisor } from './record.ts';
import { defaultStackName } from './stack.ts';
import { waitFor } from './wait.ts';

const stopTimeoutMilliseconds = 30_000;

/**
 * Stops a stack and waits until it is gone, or cleans up what a killed one left.
 * "absent" means that there was nothing to stop.
 */
export async function down(name = defaultStackName): Promise<'stopped' | 'cleaned' | 'absent'> {
  const directory = stackDirectory(name);
  const supervisor = runningSupervisor(directory);
  if (supervisor === undefined) {
    if (readRecord(directory) === undefined) return 'absent';
    await cleanUp(directory);
    return 'cleaned';
  }
  signalProcess(supervisor, 'SIGTERM');
  const ended = async (): Promise<unknown> =>
    waitFor(() => Promise.resolve(isRunning(supervisor) ? undefined : true), {
      what: `the stack "${name}" to stop`,
      timeoutMilliseconds: stopTimeoutMilliseconds,
    });
  await ended().catch(async () => {
    signalProcess(supervisor, 'SIGKILL');
    await ended();
  });
  // Nothing is left after an orderly end; after a kill this does its work.
  if (readRecord(directory) !== undefined) await cleanUp(directory);
  return 'stopped';
}
