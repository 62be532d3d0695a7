import { describe, expect, test } from '@jest/globals';
import {
  rollingUpdateExample,
  rollingUpdateRequestSchema,
  rollingUpdateSteps,
} from '../../src/contracts/rolling-update.ts';
import { describeIssues } from '../../src/domain/requests.ts';

const faults = (input: unknown): string[] => {
  const parsed = rollingUpdateRequestSchema.safeParse(input);
  return parsed.success ? [] : describeIssues(parsed.error);
};
const missing = 'image: is missing: there is no safe default for the image to roll out';

describe('a request for a rolling update', () => {
  test.each([
    rollingUpdateExample,
    { images: { app: 'web:2' } },
    { images: { app: 'web:2', migrate: 'web:2' }, workload: 'web.v1', target: 'shop', dryRun: true },
  ])('%j is right', (request) => {
    expect(faults(request)).toEqual([]);
  });

  test.each([
    ['nothing', {}],
    ['no images', { images: {} }],
    ['only a prototype key', { images: JSON.parse('{"__proto__":"web:2"}') as unknown }],
  ])('%s names no image', (_case, request) => {
    expect(faults(request)).toEqual([missing]);
  });

  test('takes image or images', () => {
    expect(faults({ image: 'web:2', images: { app: 'web:2' } })).toEqual([
      'images: give image or images, not both',
    ]);
  });

  test('names the missing image beside every other fault: once it was named only when all else was right', () => {
    expect(faults({ imag: 'web:2', dryRun: 'yes', target: 5 })).toEqual([
      'target: must be a string, not a number',
      'dryRun: must be true or false, not a string',
      'unknown field "imag"',
      missing,
    ]);
  });

  test.each([
    [{ images: 'web:2' }, 'images: must be an object, not a string'],
    [{ images: ['web:2'] }, 'images: must be an object, not a list'],
    [{ images: { app: 2 } }, 'images.app: must be a string, not a number'],
    [{ images: { app: 'web' } }, 'images.app: names neither a tag nor a digest; add one, for example :1.2.3'],
    [
      { images: { 'App One': 'web:2' } },
      'images.App One: this name must be a lower-case name of at most 63 letters, digits and dashes',
    ],
    [
      { image: 'web:2', workload: '../web' },
      'workload: must be a Kubernetes object name: lower-case letters, digits, dashes, dots',
    ],
    [{ image: 'x'.repeat(513) }, 'image: must be at most 512 characters long'],
  ])('%j has one fault', (request, fault) => {
    expect(faults(request)).toEqual([fault]);
  });
});

test('the steps have different names, which are headings', () => {
  const names = Object.values(rollingUpdateSteps);
  expect(new Set(names).size).toBe(names.length);
  for (const name of names) expect(name).toMatch(/^[A-Z][a-z ]+$/);
});
