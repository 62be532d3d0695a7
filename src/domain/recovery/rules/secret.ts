import type { KubernetesObject } from '../../../contracts/kubernetes.ts';
import { dropAnnotations, editAt, putAt, valueOf, withoutMembers } from '../edit.ts';
import type { KindRules } from './rule.ts';

const tokenKeys = new Set(['token', 'ca.crt', 'namespace']);

export const secretRules: KindRules = {
  kinds: ['Secret'],
  rules: [
    {
      about: 'token Secrets that the cluster made for an account',
      does: 'leaves the object out',
      because: 'clusters hand out tokens that expire instead',
      leavesOut: isMadeForAccount,
    },
    {
      about:
        'data.token, data.ca.crt, data.namespace and annotation kubernetes.io/service-account.uid of a token Secret',
      does: 'drops',
      because:
        'the token of an account that is gone opens nothing, and with the former uid the Secret is deleted; the cluster fills it anew',
      edit: (secret) =>
        accountOf(secret) === undefined
          ? secret
          : dropAnnotations(
              editAt(secret, ['data'], (value) => withoutMembers(value, (key) => tokenKeys.has(key))),
              (name) => name === 'kubernetes.io/service-account.uid',
            ),
      merge: withLiveToken,
    },
  ],
};

function isMadeForAccount(secret: KubernetesObject): boolean {
  const account = accountOf(secret);
  return (
    account !== undefined && new RegExp(`^${escaped(account)}-token-[a-z0-9]{5}$`).test(secret.metadata.name)
  );
}

function withLiveToken(wanted: KubernetesObject, live: KubernetesObject): KubernetesObject {
  const data = valueOf(live, 'data');
  return accountOf(wanted) === undefined || data === undefined ? wanted : putAt(wanted, ['data'], data);
}

/** The account that a token Secret is for. */
function accountOf(secret: KubernetesObject): string | undefined {
  return secret['type'] === 'kubernetes.io/service-account-token'
    ? secret.metadata.annotations?.['kubernetes.io/service-account.name']
    : undefined;
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
