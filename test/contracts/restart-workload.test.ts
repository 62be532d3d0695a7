import { describe, expect, test } from '@jest/globals';
import {
  restartWorkloadExample,
  restartWorkloadRequestSchema,
  restartWorkloadSteps,
} from '../../src/contracts/restart-workload.ts';
import { describeIssues } from '../../src/domain/requests.ts';

const faults = (input: unknown): string[] => {
  const parsed = restartWorkloadRequestSchema.safeParse(input);
  return parsed.success ? [] : describeIssues(parsed.error);
};
const names = (count: number, prefix = 'w'): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}-${index}`);
const waves = (count: number): string[][] => names(count).map((name) => [name]);

describe('a request for a restart', () => {
  test.each([
    {},
    restartWorkloadExample,
    { workload: 'web', emergency: true, dryRun: true },
    { waves: [['web']] },
    { waves: [['web'], ['api', 'worker.v1']], reason: 'new certificate' },
  ])('%j is right', (request) => {
    expect(faults(request)).toEqual([]);
  });

  test('takes up to 20 waves of up to 20 workloads', () => {
    expect(faults({ waves: waves(20) })).toEqual([]);
    expect(faults({ waves: [names(20)] })).toEqual([]);
    expect(faults({ waves: waves(21) })).toEqual(['waves: must be at most 20 items']);
    expect(faults({ waves: [names(20, 'a'), names(21)] })).toEqual(['waves.1: must be at most 20 items']);
    expect(faults({ waves: [] })).toEqual(['waves: must be at least 1 item']);
    expect(faults({ waves: [['web'], []] })).toEqual(['waves.1: must be at least 1 item']);
  });

  test('takes workload or waves', () => {
    expect(faults({ workload: 'web', waves: [['web']] })).toEqual([
      'waves: give workload or waves, not both',
    ]);
  });

  test.each([
    ['in one wave', [['web', 'web']], 'web'],
    ['in two waves', [['web'], ['api', 'web']], 'web'],
    ['several of them, each said once', [['a', 'a', 'b'], ['a'], ['b']], 'a, b'],
  ])('restarts no workload twice: %s', (_case, twice, named) => {
    expect(faults({ waves: twice })).toEqual([`waves: name twice: ${named}`]);
  });

  test('names all faults at once', () => {
    expect(faults({ workload: 'web', waves: [['web', 'web']], dryRun: 'yes', wave: 1 })).toEqual([
      'dryRun: must be true or false, not a string',
      'unknown field "wave"',
      'waves: give workload or waves, not both',
      'waves: name twice: web',
    ]);
  });

  test.each([
    [{ waves: 'web' }, 'waves: must be an array, not a string'],
    [{ waves: ['web'] }, 'waves.0: must be an array, not a string'],
    [
      { waves: [['Web']] },
      'waves.0.0: must be a Kubernetes object name: lower-case letters, digits, dashes, dots',
    ],
  ])('%j has one fault', (request, fault) => {
    expect(faults(request)).toEqual([fault]);
  });
});

test('the steps have different names, which are headings', () => {
  const all = Object.values(restartWorkloadSteps);
  expect(new Set(all).size).toBe(all.length);
  for (const name of all) expect(name).toMatch(/^[A-Z][a-z ]+$/);
});
