/** One step of work that takes long enough to be shown. */
export interface PhaseEvent {
  phase: string;
  state: 'started' | 'running' | 'done' | 'failed';
  seconds: number;
}
export type OnPhase = (event: PhaseEvent) => void;

const tickMilliseconds = 1_000;

/** Runs the work as a phase: reports its start, every second while it runs, and its end with the time taken. */
export async function runPhase<T>(onPhase: OnPhase, phase: string, work: () => Promise<T>): Promise<T> {
  const begin = Date.now();
  const report = (state: PhaseEvent['state']): void => {
    onPhase({ phase, state, seconds: Math.round((Date.now() - begin) / 100) / 10 });
  };
  report('started');
  const ticks = setInterval(report, tickMilliseconds, 'running');
  try {
    const result = await work();
    report('done');
    return result;
  } catch (error) {
    report('failed');
    throw error;
  } finally {
    clearInterval(ticks);
  }
}

const plainLineEverySeconds = 10;

/**
 * A printer of phases for people. A terminal gets one live line; a log gets a line when a phase
 * begins to take long, one every ten seconds while it does, and one at its end.
 */
export function phasePrinter(output: NodeJS.WriteStream): OnPhase {
  const lastPlain = new Map<string, number>();
  return ({ phase, state, seconds }) => {
    const text = `  ${phase}`;
    if (state === 'done' || state === 'failed') {
      output.write(
        `${output.isTTY ? '\r\u001b[K' : ''}${text}: ${state === 'done' ? 'done' : 'FAILED'} in ${seconds.toFixed(1)} s\n`,
      );
      return;
    }
    if (output.isTTY) {
      output.write(`\r\u001b[K${text} … ${seconds.toFixed(0)} s`);
      return;
    }
    if (state === 'started') lastPlain.set(phase, 0);
    else if (seconds - (lastPlain.get(phase) ?? 0) >= plainLineEverySeconds) {
      lastPlain.set(phase, seconds);
      output.write(`${text} … ${seconds.toFixed(0)} s\n`);
    }
  };
}
