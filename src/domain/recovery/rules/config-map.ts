import type { KindRules } from './rule.ts';

export const configMapRules: KindRules = {
  kinds: ['ConfigMap'],
  rules: [
    {
      about: 'kube-root-ca.crt',
      does: 'leaves the object out',
      because: 'the cluster puts its own certificate into every namespace',
      leavesOut: ({ metadata }) => metadata.name === 'kube-root-ca.crt',
    },
  ],
};
