import type { KindRules } from './rule.ts';

export const customResourceDefinitionRules: KindRules = {
  kinds: ['CustomResourceDefinition.apiextensions.k8s.io'],
  rules: [
    {
      about: 'spec.conversion.webhook.clientConfig.caBundle',
      does: 'keeps',
      because: 'without it the server trusts no answer; an injector that manages it writes its own anew',
    },
    {
      about: 'spec.versions',
      does: 'keeps',
      because:
        'the versions that objects were stored in have to be served; the server refuses to drop one that is in use',
    },
  ],
};
