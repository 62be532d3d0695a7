import { z } from 'zod';
import type { DrillResult } from '../contracts/drill.ts';
import { oneLine } from './text.ts';

/** So many drills are shown: a year of monthly ones. */
export const mostShown = 12;

const wholeSeconds = z.number().int().min(0).max(1e9);

const resultSchema = z.object({
  version: z.literal('drill/1'),
  target: z.string().max(63),
  id: z.string().regex(/^[0-9a-f]{8}$/),
  startedAt: z.iso.datetime(),
  verdict: z.enum(['pass', 'fail']),
  backupId: z.string().max(100),
  recoverySeconds: wholeSeconds.nullable(),
  rtoSeconds: wholeSeconds,
  dataLossSeconds: wholeSeconds.nullable(),
  rpoSeconds: wholeSeconds,
  objects: z.number().int().min(0),
  findings: z.array(z.string().max(10_000)).max(100),
});

/** The result of a former drill; undefined when the file is none. Whoever may write to the bucket may have written it. */
export function readResult(text: string): DrillResult | undefined {
  try {
    const parsed = resultSchema.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}

/** The row of each drill, oldest first: for the table of the report. */
export function trendRows(results: readonly DrillResult[]): string[][] {
  return results.map((one) => [
    one.startedAt.slice(0, 16).replace('T', ' '),
    one.verdict,
    inWords(one.recoverySeconds, one.rtoSeconds),
    inWords(one.dataLossSeconds, one.rpoSeconds),
    String(one.objects),
    one.backupId,
  ]);
}

export const trendHead = ['drill', 'verdict', 'time to recover', 'data lost', 'objects', 'backup'];

function inWords(seconds: number | null, limit: number): string {
  return seconds === null ? 'unknown' : `${seconds} s of ${limit} s`;
}

const width = 720;
const panelHeight = 200;
const left = 60;
const top = 40;
const plotHeight = 120;
const colours = { pass: '#2e7d32', fail: '#c62828', unknown: '#757575', limit: '#1565c0' };

/** A picture of the last drills, a panel for each objective: bars, and a line for what was allowed. */
export function trendPicture(target: string, results: readonly DrillResult[]): string {
  const shown = results.slice(-mostShown);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${2 * panelHeight + top}" font-family="sans-serif" font-size="11">`,
    `<title>${escaped(`Disaster recovery drills of ${target}`)}</title>`,
    `<rect width="100%" height="100%" fill="#ffffff"/>`,
    ...panel(`Time to recover ${target}, in seconds`, 0, shown, (one) => [
      one.recoverySeconds,
      one.rtoSeconds,
    ]),
    ...panel(`Data lost, in seconds`, panelHeight + 10, shown, (one) => [
      one.dataLossSeconds,
      one.rpoSeconds,
    ]),
    '</svg>',
    '',
  ].join('\n');
}

function panel(
  title: string,
  offset: number,
  results: readonly DrillResult[],
  of: (one: DrillResult) => [number | null, number],
): string[] {
  const base = offset + top + plotHeight;
  const most = Math.max(1, ...results.flatMap((one) => of(one).map((value) => value ?? 0)));
  const heightOf = (value: number): number => Math.round((value / most) * plotHeight);
  const slot = (width - left - 20) / mostShown;
  const bars = results.flatMap((one, index) => {
    const [value, limit] = of(one);
    const x = Math.round(left + index * slot);
    const bar = Math.round(slot * 0.7);
    const colour = value === null ? colours.unknown : value <= limit ? colours.pass : colours.fail;
    const height = value === null ? 2 : Math.max(2, heightOf(value));
    const line = base - heightOf(limit);
    return [
      `<rect x="${x}" y="${base - height}" width="${bar}" height="${height}" fill="${colour}"><title>${escaped(`${one.startedAt}: ${value ?? 'unknown'} of ${limit}, drill ${one.verdict}`)}</title></rect>`,
      `<line x1="${x - 3}" y1="${line}" x2="${x + bar + 3}" y2="${line}" stroke="${colours.limit}" stroke-width="2"/>`,
      `<text x="${x}" y="${base + 14}">${escaped(one.startedAt.slice(2, 10))}</text>`,
      `<text x="${x}" y="${base - height - 3}">${value ?? '?'}</text>`,
    ];
  });
  return [
    `<text x="${left}" y="${offset + 18}" font-size="13">${escaped(title)}</text>`,
    `<line x1="${left}" y1="${base}" x2="${width - 20}" y2="${base}" stroke="#000000"/>`,
    `<text x="5" y="${base - plotHeight + 4}">${most}</text>`,
    `<text x="5" y="${base}">0</text>`,
    ...bars,
  ];
}

/** As text of an XML document, whatever it holds. */
function escaped(text: string): string {
  return oneLine(text).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
