import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createKubernetesGateway, type KubernetesGateway } from '../../src/clients/kubernetes/gateway.ts';
import { kubectl } from '../../src/local/demo-target.ts';
import type { StackEndpoints } from '../../src/local/stack-types.ts';

/** The endpoints of the stack that serves this test run. */
export function stack(): StackEndpoints {
  return JSON.parse(readFileSync(process.env.RUNBOOK_TEST_STACK ?? '', 'utf8')) as StackEndpoints;
}

/** True when pods really run; tests of real behaviour are listed as skipped otherwise. */
export const onRealNode = process.env.RUNBOOK_TEST_NODE === 'real';

/** A gateway to the stack's cluster; close it in afterAll. */
export function openGateway(): KubernetesGateway {
  return createKubernetesGateway({ kubeconfigPath: stack().kubeconfig });
}

/** Runs kubectl in one namespace and returns what it printed. */
export function kubectlIn(namespace: string): (...line: string[]) => Promise<string> {
  return (...line) => kubectl(stack(), ['--namespace', namespace, ...line]);
}

/** A name that no other test has. */
export function unique(prefix: string): string {
  return `${prefix}-${randomBytes(4).toString('hex')}`;
}
