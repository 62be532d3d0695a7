import type { StackStatus } from './status.ts';
import type { StackEndpoints } from './stack-types.ts';

/** A stack's endpoints as lines for people. */
export function describeStack(endpoints: StackEndpoints): string {
  const { s3 } = endpoints;
  const rows: [string, string][] = [
    ['Temporal UI', endpoints.temporalUi],
    ['Temporal', `${endpoints.temporalAddress} (namespace ${endpoints.temporalNamespace})`],
    ['Kubernetes', endpoints.kubernetesServer],
    ['kubeconfig', endpoints.kubeconfig],
    ['node', endpoints.nodeNote],
    ['object storage', `${s3.endpoint} (bucket ${s3.bucket}; keys in ${endpoints.directory}/stack.json)`],
    ...(endpoints.registry === undefined
      ? []
      : [['image registry', endpoints.registry] satisfies [string, string]]),
  ];
  return rows.map(([name, value]) => `  ${name.padEnd(15)} ${value}`).join('\n');
}

/** The list of stacks as lines for people. */
export function describeStatus(stacks: readonly StackStatus[]): string {
  if (stacks.length === 0) return 'no stack runs';
  return stacks
    .map(({ name, state, supervisor, endpoints }) => {
      const head = `${name}: ${state} (process ${supervisor})`;
      return endpoints === undefined ? head : `${head}\n${describeStack(endpoints)}`;
    })
    .join('\n');
}
