import { valueOf } from '../edit.ts';
import type { KindRules } from './rule.ts';

export const apiServiceRules: KindRules = {
  kinds: ['APIService.apiregistration.k8s.io'],
  rules: [
    {
      about: 'an APIService that the server registers by itself',
      does: 'leaves the object out',
      because: 'it comes with its definition, or is built in',
      leavesOut: (service) =>
        service.metadata.labels?.['kube-aggregator.kubernetes.io/automanaged'] !== undefined ||
        valueOf(service, 'spec', 'service') === undefined,
    },
    {
      about: 'spec.caBundle',
      does: 'keeps',
      because: 'without it the server trusts no answer; an injector that manages it writes its own anew',
    },
  ],
};
