import { dropAnnotations, dropAt } from '../edit.ts';
import { moves, type KindRules } from './rule.ts';

export const namespaceRules: KindRules = {
  kinds: ['Namespace'],
  rules: [
    {
      about: 'spec.finalizers',
      does: 'drops',
      because: 'the server sets them, and a namespace without any could not be deleted in order',
      edit: (namespace) => dropAt(namespace, ['spec']),
      merge: (wanted, live) => ({ ...wanted, spec: live['spec'] }),
    },
    {
      about: 'label kubernetes.io/metadata.name',
      does: 'drops',
      when: 'into another namespace',
      because: 'the server sets it to the name',
      edit: (namespace, context) =>
        moves(context)
          ? dropAnnotations(namespace, (name) => name === 'kubernetes.io/metadata.name', 'labels')
          : namespace,
    },
  ],
};
