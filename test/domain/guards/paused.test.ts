import { expect, test } from '@jest/globals';
import { checkPaused } from '../../../src/domain/guards/paused.ts';
import { aDeployment } from '../../support/builders.ts';

test('a paused workload stops the run: Kubernetes would accept the change and roll nothing out', () => {
  const finding = checkPaused(aDeployment({ spec: { paused: true } }));
  expect(finding).toMatchObject({ guard: 'paused', verdict: 'stops' });
  expect(finding.sentence).toContain('Deployment web is paused');
});

test.each([false, undefined])('paused: %s is clear', (paused) => {
  const deployment = aDeployment(paused === undefined ? {} : { spec: { paused } });
  expect(checkPaused(deployment)).toMatchObject({ guard: 'paused', verdict: 'clear' });
});
