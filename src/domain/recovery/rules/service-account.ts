import { editAt, isJsonObject } from '../edit.ts';
import type { KindRules } from './rule.ts';
import { union } from './union.ts';

export const serviceAccountRules: KindRules = {
  kinds: ['ServiceAccount'],
  rules: [
    {
      about: 'secrets: <account>-token-…',
      does: 'drops',
      because: 'the cluster made these token Secrets, and they are not restored',
      edit: (account) =>
        editAt(account, ['secrets'], (value) => {
          if (!Array.isArray(value)) return value;
          const left = value.filter((item) => {
            const name = isJsonObject(item) ? item['name'] : undefined;
            return typeof name !== 'string' || !name.startsWith(`${account.metadata.name}-token-`);
          });
          return left.length === 0 ? undefined : left;
        }),
    },
    {
      about: 'secrets, imagePullSecrets',
      does: 'takes it from the live object',
      because: 'every namespace has an account default before anything is restored: both lists are joined',
      merge: (wanted, live) => union(union(wanted, live, ['secrets']), live, ['imagePullSecrets']),
    },
  ],
};
