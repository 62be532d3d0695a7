import { dropAnnotations, putAt } from '../edit.ts';
import type { KindRules } from './rule.ts';

/** A class that no controller serves. */
const nobody = 'runbook-drill-served-by-nobody';

export const ingressRules: KindRules = {
  kinds: ['Ingress.networking.k8s.io'],
  rules: [
    {
      about: 'spec.ingressClassName, annotation kubernetes.io/ingress.class',
      does: 'sets',
      when: 'in a drill',
      because: 'a controller would send traffic of the same host name to the drill',
      edit: (ingress, { purpose }) =>
        purpose === 'drill'
          ? putAt(
              dropAnnotations(ingress, (name) => name === 'kubernetes.io/ingress.class'),
              ['spec', 'ingressClassName'],
              nobody,
            )
          : ingress,
    },
    {
      about: 'spec.rules, spec.tls',
      does: 'keeps',
      because: 'their Services and Secrets lie in the same namespace, whichever that is',
    },
  ],
};
