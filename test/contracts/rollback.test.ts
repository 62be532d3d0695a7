import { describe, expect, test } from '@jest/globals';
import { rollbackExample, rollbackRequestSchema, rollbackSteps } from '../../src/contracts/rollback.ts';
import { describeIssues } from '../../src/domain/requests.ts';

const faults = (input: unknown): string[] => {
  const parsed = rollbackRequestSchema.safeParse(input);
  return parsed.success ? [] : describeIssues(parsed.error);
};

describe('a request for a rollback', () => {
  test.each([
    {},
    rollbackExample,
    { revision: 1 },
    {
      workload: 'web.v1',
      target: 'shop',
      revision: 12,
      dryRun: true,
      emergency: true,
      reason: 'bad release',
    },
  ])('%j is right', (request) => {
    expect(faults(request)).toEqual([]);
  });

  test.each([
    [{ revision: 0 }, 'revision: must be at least 1'],
    [{ revision: 1.5 }, 'revision: must be a whole number'],
    [{ revision: '3' }, 'revision: must be a number, not a string'],
    [{ emergency: 'yes' }, 'emergency: must be true or false, not a string'],
    [{ image: 'web:2' }, 'unknown field "image"'],
  ])('%j has one fault', (request, fault) => {
    expect(faults(request)).toEqual([fault]);
  });

  test('names all faults at once', () => {
    expect(faults({ revision: -1, emergency: 1, workload: '../web', revison: 3 })).toEqual([
      'workload: must be a Kubernetes object name: lower-case letters, digits, dashes, dots',
      'revision: must be at least 1',
      'emergency: must be true or false, not a number',
      'unknown field "revison"',
    ]);
  });
});

test('the steps have different names, which are headings', () => {
  const names = Object.values(rollbackSteps);
  expect(new Set(names).size).toBe(names.length);
  for (const name of names) expect(name).toMatch(/^[A-Z][a-z ]+$/);
});
