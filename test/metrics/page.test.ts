import { expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { metrics } from '../../src/contracts/metrics.ts';
import { scheduleSchema } from '../../src/contracts/schedules.ts';
import { parseCron } from '../../src/domain/cron.ts';

const page = readFileSync(new URL('../../docs/schedules.md', import.meta.url), 'utf8');
const blocks = [...page.matchAll(/^```yaml\n([\s\S]*?)^```/gm)].map(
  ([, text = '']) => parse(text) as unknown,
);
const names = Object.values(metrics).map(({ name }) => name);
const namesIn = (text: string): string[] => [
  ...new Set([...text.matchAll(/\brunbook_[a-z_]+\b/g)].map(([name]) => name)),
];

test('the page has every metric, and no other', () => {
  expect(namesIn(page).sort()).toEqual([...names].sort());
});

test('the schedules on the page are ones that a profile takes', () => {
  const { schedules } = blocks[0] as { schedules: Record<string, { cron: string }> };
  expect(Object.keys(schedules)).toHaveLength(3);
  for (const schedule of Object.values(schedules)) {
    // The fields are what is looked at here.
    expect(scheduleSchema.safeParse({ ...schedule, procedure: 'rollback' }).error).toBeUndefined();
    expect(parseCron(schedule.cron).faults).toEqual([]);
  }
});

test('every alert on the page is about metrics that exist, with labels that they have', () => {
  const { groups } = blocks[1] as {
    groups: { rules: { alert: string; expr: string; annotations: { summary: string } }[] }[];
  };
  const rules = groups.flatMap((group) => group.rules);
  expect(rules.length).toBeGreaterThan(0);
  for (const { expr, annotations } of rules) {
    const used = namesIn(expr);
    expect(used.length).toBeGreaterThan(0);
    const known = Object.values(metrics).filter(({ name }) => used.includes(name));
    expect(known.map(({ name }) => name).sort()).toEqual(used.sort());
    const labels = [...annotations.summary.matchAll(/\$labels\.([a-z]+)/g)].map(([, label = '']) => label);
    for (const label of labels) for (const { labels: its } of known) expect(its).toContain(label);
  }
});
