import type { KindRules } from './rule.ts';

export const addressRules: KindRules = {
  kinds: ['Endpoints', 'EndpointSlice.discovery.k8s.io'],
  rules: [
    {
      about: 'those that a controller keeps for a Service',
      does: 'leaves the object out',
      because: 'they name pods that are gone; only those that somebody made by hand are restored',
      leavesOut: ({ metadata: { labels, annotations } }) =>
        labels?.['endpointslice.kubernetes.io/managed-by']?.endsWith('-controller.k8s.io') === true ||
        labels?.['endpoints.kubernetes.io/managed-by'] !== undefined ||
        annotations?.['endpoints.kubernetes.io/last-change-trigger-time'] !== undefined,
    },
  ],
};
