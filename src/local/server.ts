import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram } from './command.ts';
import { identityOf, type ProcessIdentity } from './identity.ts';
import type { StackRecord } from './record.ts';
import { waitFor } from './wait.ts';

export interface ServerOptions {
  name: string;
  command: string;
  arguments: readonly string[];
  environment?: Record<string, string>;
  /** The program that ends up running, where the command is a wrapper that becomes another one. */
  executable?: string;
}

/** A server of the stack: a child process with a log file, that ends when this process ends. */
export interface Server {
  name: string;
  logFile: string;
  identity: ProcessIdentity;
  /** Settles with a sentence when the process ended, for whatever reason. */
  exited: Promise<string>;
  hasExited: () => boolean;
  stop: () => Promise<void>;
}

const stopGraceMilliseconds = 2_000;
// Many times what a server needs on a busy machine of two cores.
const readyTimeoutMilliseconds = 60_000;

/** What every server's start needs to know of its stack. */
export interface ServerHost {
  directory: string;
  record: StackRecord;
  /** Ends every wait of the start when a server died or the stack is stopped. */
  signal: AbortSignal;
}

/**
 * Starts a server. It gets a session of its own, so that Ctrl-C reaches only the process that
 * supervises and the servers are stopped in order. On Linux the kernel kills it when its
 * supervisor dies, even by SIGKILL; elsewhere the record lets the next start find it.
 */
export function startServer(host: ServerHost, options: ServerOptions): Server {
  const logFile = join(host.directory, 'logs', `${options.name}.log`);
  const log = openSync(logFile, 'a', 0o600);
  const guard = process.platform === 'linux' ? findProgram('setpriv') : undefined;
  const line = [
    ...(guard === undefined ? [] : [guard, '--pdeathsig', 'KILL', '--']),
    options.command,
    ...options.arguments,
  ];
  const child = spawn(line[0] ?? '', line.slice(1), {
    stdio: ['ignore', log, log],
    detached: true,
    cwd: host.directory,
    env: { ...process.env, ...options.environment },
  });
  closeSync(log);
  const identity = identityOf(child.pid ?? 0) ?? { pid: child.pid ?? 0, startTime: 'gone' };
  host.record.add({
    ...identity,
    name: options.name,
    executable: realpathSync(options.executable ?? options.command),
  });
  return watch(child, options.name, logFile, identity);
}

function watch(child: ChildProcess, name: string, logFile: string, identity: ProcessIdentity): Server {
  let ended = false;
  const exited = new Promise<string>((resolve) => {
    child.on('error', (error) => {
      ended = true;
      resolve(`${name} could not be started: ${error.message}`);
    });
    child.on('exit', (code, signal) => {
      ended = true;
      resolve(
        `${name} ended with ${signal ?? `code ${code ?? 'unknown'}`}; the end of ${logFile}:\n${tailOf(logFile)}`,
      );
    });
  });
  const stop = async (): Promise<void> => {
    if (ended) return;
    child.kill('SIGTERM');
    const kill = setTimeout(() => child.kill('SIGKILL'), stopGraceMilliseconds);
    await exited;
    clearTimeout(kill);
  };
  return { name, logFile, identity, exited, hasExited: () => ended, stop };
}

/** The last lines of a log, for the message about a server that died. */
export function tailOf(logFile: string, lines = 12): string {
  // A stack that was taken down meanwhile has taken its logs along; that is no error of whoever asks.
  if (!existsSync(logFile)) return '(the log is gone)';
  return readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
}

/** Waits until the server answers; ends at once, with the log, when a server of the stack died instead. */
export async function untilReady(
  host: ServerHost,
  server: Server,
  probe: () => Promise<boolean>,
): Promise<void> {
  await waitFor(async () => ((await probe()) ? true : undefined), {
    what: `${server.name} to be ready (log: ${server.logFile})`,
    timeoutMilliseconds: readyTimeoutMilliseconds,
    signal: host.signal,
  });
}

/** True when a plain HTTP GET is answered with a success. */
export async function answers(url: string): Promise<boolean> {
  const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
  await response.arrayBuffer();
  return response.ok;
}
