import { expect, test } from '@jest/globals';
import { procedures } from '../../src/contracts/procedures.ts';
import { restartWorkloadRequestSchema } from '../../src/contracts/restart-workload.ts';
import { rollbackRequestSchema } from '../../src/contracts/rollback.ts';
import { rollingUpdateRequestSchema } from '../../src/contracts/rolling-update.ts';

const schemas = {
  rollingUpdate: rollingUpdateRequestSchema,
  rollback: rollbackRequestSchema,
  restartWorkload: restartWorkloadRequestSchema,
};

test('names are used once', () => {
  for (const names of [procedures.map(({ name }) => name), procedures.map((one) => one.workflowType)])
    expect(new Set(names).size).toBe(names.length);
});

test.each([...procedures])(
  '$name has one name in three spellings, a summary, steps and an example that works',
  ({ name, workflowType, page, summary, steps, example }) => {
    expect(workflowType.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)).toBe(name);
    expect(page).toBe(`docs/runbooks/${name}.md`);
    expect(summary).toMatch(/^[A-Z].*[^.]$/);
    expect(new Set(steps).size).toBe(steps.length);
    expect(steps.length).toBeGreaterThan(0);
    expect(Object.keys(schemas)).toContain(workflowType);
    expect(schemas[workflowType as keyof typeof schemas].safeParse(example).success).toBe(true);
  },
);
