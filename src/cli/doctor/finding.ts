/** What one check found. `unknown` is no pass: it could not be found out, or runs go on with less. */
export interface Finding {
  check: string;
  state: 'pass' | 'fail' | 'unknown';
  /** One sentence. */
  found: string;
  /** What to do about it, with the command or the line of a manifest. */
  mend?: string;
}

/** What one system answered: its checks, and the clocks that it showed. */
export interface Section {
  findings: Finding[];
  clocks: Finding[];
}

/** What became of one thing that was to be there. */
export type Mended =
  | { thing: string; state: 'made' | 'was there' }
  | { thing: string; state: 'cannot'; because: string; mend: string };

/** One of them for people. */
export function mendedLine(one: Mended): string {
  if (one.state !== 'cannot') return `${one.state}: ${one.thing}`;
  return `cannot: ${one.thing}, because ${one.because}\n    → do this: ${one.mend}`;
}

/** How long one question may take. With at most three in a row a whole check ends in about twelve seconds. */
export const questionSeconds = 4;

export function passed(check: string, found: string): Finding {
  return { check, state: 'pass', found };
}

export function failed(check: string, found: string, mend: string): Finding {
  return { check, state: 'fail', found, mend };
}

export function unknown(check: string, found: string, mend: string): Finding {
  return { check, state: 'unknown', found, mend };
}

const sectionSeconds = 13;

/** A section that ends in any case: what hangs or breaks becomes a finding of its own. */
export async function bounded(check: string, work: Promise<Section>): Promise<Section> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Section>((resolve) => {
    timer = setTimeout(() => {
      const found = `the checks did not end within ${sectionSeconds} s`;
      resolve({
        findings: [unknown(check, found, 'Look whether it is overloaded, then run doctor again.')],
        clocks: [],
      });
    }, sectionSeconds * 1000);
  });
  const broken = (error: unknown): Section => {
    const found = `a check broke off (${error instanceof Error ? error.name : 'unknown error'})`;
    const mend = 'This is a fault of doctor itself; please report it.';
    return { findings: [unknown(check, found, mend)], clocks: [] };
  };
  try {
    return await Promise.race([work.catch(broken), late]);
  } finally {
    clearTimeout(timer);
  }
}
