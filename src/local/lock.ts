import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { identityOf, isRunning, type ProcessIdentity } from './identity.ts';
import { runPhase, type OnPhase } from './phases.ts';
import { waitFor } from './wait.ts';

const lockTimeoutMilliseconds = 30 * 60_000;

/** Runs the work while this process alone holds the lock file; a lock whose holder died is taken over. */
export async function withLock<T>(file: string, onPhase: OnPhase, work: () => Promise<T>): Promise<T> {
  mkdirSync(dirname(file), { recursive: true });
  if (!take(file))
    await runPhase(onPhase, 'waiting for another process that prepares tools', () => untilTaken(file));
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}

async function untilTaken(file: string): Promise<void> {
  await waitFor(() => Promise.resolve(take(file) ? true : undefined), {
    what: `the lock ${file}, held by process ${holderOf(file)?.pid ?? 'unknown'}`,
    timeoutMilliseconds: lockTimeoutMilliseconds,
    everyMilliseconds: 200,
  });
}

function take(file: string): boolean {
  try {
    writeFileSync(file, JSON.stringify(identityOf(process.pid)), { flag: 'wx' });
    return true;
  } catch {
    const holder = holderOf(file);
    // An unreadable lock is one being written right now: look again.
    if (holder !== undefined && !isRunning(holder)) putAside(file);
    return false;
  }
}

/** Of several that see the dead holder, only one rename succeeds; the others find the file gone. */
function putAside(file: string): void {
  const aside = `${file}.${process.pid}.stale`;
  try {
    renameSync(file, aside);
    rmSync(aside, { force: true });
  } catch {
    // Another process was faster.
  }
}

function holderOf(file: string): ProcessIdentity | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as ProcessIdentity;
  } catch {
    return undefined;
  }
}
