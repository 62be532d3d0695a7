import type { Json } from '../../../contracts/json.ts';
import type { KubernetesObject } from '../../../contracts/kubernetes.ts';
import { dropAt, editAt, every, isJsonObject, isOneOf, valueOf } from '../edit.ts';
import type { KindRules } from './rule.ts';

export const podRules: KindRules = {
  kinds: ['Pod'],
  rules: [
    {
      about: 'a pod that has ended',
      does: 'leaves the object out',
      because: 'it has done its work; restored it would do it once more',
      leavesOut: (_pod, { dropped: { status } }) =>
        isJsonObject(status) && isOneOf(status['phase'], 'Succeeded', 'Failed'),
    },
    {
      about: 'a mirror of a pod that a node runs by itself',
      does: 'leaves the object out',
      because: 'the node makes it',
      leavesOut: ({ metadata }) => metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined,
    },
    {
      about: 'spec.nodeName',
      does: 'drops',
      because: 'that node may be gone or full; the scheduler chooses',
      edit: (pod) => dropAt(pod, ['spec', 'nodeName']),
    },
    {
      about: 'spec.priority, spec.preemptionPolicy',
      does: 'drops',
      because: 'the server takes them from the priority class and refuses others',
      edit: (pod) => dropAt(dropAt(pod, ['spec', 'priority']), ['spec', 'preemptionPolicy']),
    },
    {
      about: 'spec.ephemeralContainers',
      does: 'drops',
      because: 'the server refuses a new pod that has any',
      edit: (pod) => dropAt(pod, ['spec', 'ephemeralContainers']),
    },
    {
      about: 'volumes of account tokens and their mounts',
      does: 'drops',
      because: 'the server adds one with a token of the new account',
      edit: withoutTokens,
    },
  ],
};

function withoutTokens(pod: KubernetesObject): KubernetesObject {
  const account = valueOf(pod, 'spec', 'serviceAccountName');
  const isToken = (value: Json): boolean => {
    const name = isJsonObject(value) ? value['name'] : undefined;
    if (typeof name !== 'string') return false;
    return (
      /^kube-api-access-[a-z0-9]{5}$/.test(name) ||
      (typeof account === 'string' && name.startsWith(`${account}-token-`))
    );
  };
  const dropTokens = (value: Json): Json | undefined => {
    if (!Array.isArray(value)) return value;
    const left = value.filter((item) => !isToken(item));
    return left.length === 0 ? undefined : left;
  };
  return ['containers', 'initContainers'].reduce(
    (result, list) => editAt(result, ['spec', list, every, 'volumeMounts'], dropTokens),
    editAt(pod, ['spec', 'volumes'], dropTokens),
  );
}
