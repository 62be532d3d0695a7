import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { findProgram } from '../../src/local/command.ts';

const root = join(import.meta.dirname, '../..');

/** What a command printed and how it ended. */
export interface Ended {
  code: number | null;
  out: string;
  err: string;
}

/** A running `runbook` command in a process group of its own, as a shell starts it. */
export interface Running {
  child: ChildProcess;
  ended: Promise<Ended>;
  /** All that was printed up to now, in its order. */
  printed: () => string;
  /** Ctrl-C: the terminal sends it to the whole group. */
  interrupt: () => void;
}

/** Starts `runbook` on this clone with the Node of the PATH, as a user would. */
export function startRunbook(line: string[], environment: Record<string, string | undefined> = {}): Running {
  const child = spawn(findProgram('node') ?? process.execPath, ['bin/runbook.mjs', ...line], {
    cwd: root,
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const out: string[] = [];
  const err: string[] = [];
  const all: string[] = [];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out.push(text);
    all.push(text);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err.push(text);
    all.push(text);
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      resolve({ code, out: out.join(''), err: err.join('') });
    });
  });
  return {
    child,
    ended,
    printed: () => all.join(''),
    interrupt: () => {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGINT');
    },
  };
}

/** Runs `runbook` to its end. */
export async function runbook(
  line: string[],
  environment: Record<string, string | undefined> = {},
): Promise<Ended> {
  return await startRunbook(line, environment).ended;
}
