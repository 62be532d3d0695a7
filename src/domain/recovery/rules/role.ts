import { dropAt, valueOf } from '../edit.ts';
import type { KindRules } from './rule.ts';
import { filledFrom } from './union.ts';

export const roleRules: KindRules = {
  kinds: [
    'ClusterRole.rbac.authorization.k8s.io',
    'Role.rbac.authorization.k8s.io',
    'ClusterRoleBinding.rbac.authorization.k8s.io',
    'RoleBinding.rbac.authorization.k8s.io',
  ],
  rules: [
    {
      about: 'what carries the label kubernetes.io/bootstrapping',
      does: 'leaves the object out',
      because: 'the server makes it, and mends it at every start',
      leavesOut: ({ metadata }) => metadata.labels?.['kubernetes.io/bootstrapping'] !== undefined,
    },
    {
      about: 'rules of a ClusterRole with aggregationRule',
      does: 'drops',
      because: 'a controller collects them from other roles',
      edit: (role) => (isAggregated(role) ? dropAt(role, ['rules']) : role),
      merge: (wanted, live) => (isAggregated(wanted) ? filledFrom(wanted, live, 'rules') : wanted),
    },
    {
      about: 'roleRef',
      does: 'keeps',
      because: 'it cannot be changed: a binding to another role is a conflict, which replace alone resolves',
    },
  ],
};

function isAggregated(role: Parameters<typeof valueOf>[0]): boolean {
  const rule = valueOf(role, 'aggregationRule');
  return rule !== undefined && rule !== null;
}
