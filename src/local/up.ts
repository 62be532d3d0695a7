import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stackDirectory } from './paths.ts';
import type { PhaseEvent } from './phases.ts';
import { tailOf } from './server.ts';
import { defaultStackName, startStack, supervisorLog } from './stack.ts';
import type { StackEndpoints, StackOptions } from './stack-types.ts';

const stopSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Starts a stack, hands its endpoints to the caller, and holds it until Ctrl-C or a signal.
 * Returns undefined after such an end; a sentence when a server died and the rest was stopped.
 */
export async function upInForeground(
  options: StackOptions,
  onReady: (endpoints: StackEndpoints) => void,
): Promise<string | undefined> {
  const stop = new AbortController();
  const stopped = new Promise<undefined>((resolve) => {
    stop.signal.addEventListener('abort', () => {
      resolve(undefined);
    });
  });
  const listener = (signal: string): void => {
    stop.abort(new Error(`stopped by ${signal} before the stack was ready`));
  };
  // Listened to from the start: Ctrl-C while servers come up must stop those that already run.
  for (const signal of stopSignals) process.on(signal, listener);
  try {
    const stack = await startStack({ ...options, signal: stop.signal });
    onReady(stack.endpoints);
    const reason = await Promise.race([stopped, stack.failed]);
    await stack.stop();
    return reason;
  } finally {
    for (const signal of stopSignals) process.off(signal, listener);
  }
}

/** What a supervisor in the background tells the command that started it. */
export type SupervisorMessage =
  | { kind: 'phase'; event: PhaseEvent }
  | { kind: 'ready'; endpoints: StackEndpoints }
  | { kind: 'failed'; message: string };

export type DetachedOptions = Omit<StackOptions, 'onPhase' | 'signal'>;

/**
 * Starts a stack whose supervisor stays when this process ends; returns when it is ready.
 * A supervisor whose starter goes away before that stops itself.
 */
export async function upDetached(options: StackOptions): Promise<StackEndpoints> {
  const { onPhase, signal, ...detached } = options;
  const directory = stackDirectory(options.name ?? defaultStackName);
  const logFile = join(directory, supervisorLog);
  const child = spawnSupervisor(detached, directory, logFile);
  const abort = (): void => void child.kill('SIGTERM');
  signal?.addEventListener('abort', abort);
  try {
    return await new Promise<StackEndpoints>((resolve, reject) => {
      child.on('error', reject);
      child.on('exit', () => {
        reject(new Error(`the stack did not start; the end of ${logFile}:\n${tailOf(logFile)}`));
      });
      child.on('message', (message: SupervisorMessage) => {
        if (message.kind === 'phase') onPhase?.(message.event);
        else if (message.kind === 'ready') resolve(message.endpoints);
        else reject(new Error(message.message));
      });
    });
  } finally {
    signal?.removeEventListener('abort', abort);
    if (child.connected) child.disconnect();
    child.unref();
  }
}

function spawnSupervisor(options: DetachedOptions, directory: string, logFile: string): ChildProcess {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const log = openSync(logFile, 'a', 0o600);
  // The package ships JavaScript, a clone runs TypeScript: the same file beside this one, either way.
  const program = fileURLToPath(new URL(`./supervisor${extname(import.meta.url)}`, import.meta.url));
  const child = spawn(process.execPath, [program, JSON.stringify(options)], {
    detached: true,
    cwd: directory,
    stdio: ['ignore', log, log, 'ipc'],
  });
  closeSync(log);
  return child;
}
