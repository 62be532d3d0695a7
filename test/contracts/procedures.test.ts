import { expect, test } from '@jest/globals';
import { procedures } from '../../src/contracts/procedures.ts';

test('names are used once', () => {
  for (const key of ['name', 'workflowType', 'schema', 'page'] as const) {
    const names = procedures.map((procedure) => procedure[key]);
    expect(new Set<unknown>(names).size).toBe(names.length);
  }
});

test.each([...procedures])(
  '$name has one name in three spellings, a summary, steps and an example that works',
  ({ name, workflowType, page, summary, steps, schema, example }) => {
    expect(workflowType.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)).toBe(name);
    expect(page).toBe(`docs/runbooks/${name}.md`);
    expect(summary).toMatch(/^[A-Z].*[^.]$/);
    expect(new Set(steps).size).toBe(steps.length);
    expect(steps.length).toBeGreaterThan(0);
    expect(schema.safeParse(example).success).toBe(true);
    expect(schema.safeParse({ target: 'alecs', requestedBy: 'schedule nightly', nothing: 1 }).success).toBe(
      false,
    );
  },
);
