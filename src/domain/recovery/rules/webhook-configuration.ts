import { editAt, every, isJsonObject, isOneOf } from '../edit.ts';
import type { KindRules } from './rule.ts';

export const webhookConfigurationRules: KindRules = {
  kinds: [
    'MutatingWebhookConfiguration.admissionregistration.k8s.io',
    'ValidatingWebhookConfiguration.admissionregistration.k8s.io',
  ],
  rules: [
    {
      about: 'webhooks[].clientConfig.caBundle',
      does: 'keeps',
      because: 'without it the server trusts no answer; an injector that manages it writes its own anew',
    },
    {
      about: 'webhooks[].sideEffects: Some, Unknown',
      does: 'sets',
      because: 'today only None and NoneOnDryRun are taken; it becomes None',
      edit: (configuration) =>
        editAt(configuration, ['webhooks', every], (webhook) =>
          isJsonObject(webhook) && isOneOf(webhook['sideEffects'], 'Some', 'Unknown')
            ? { ...webhook, sideEffects: 'None' }
            : webhook,
        ),
    },
  ],
};
