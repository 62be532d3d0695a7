import { auditNames } from '../contracts/audit.ts';
import { backupKeyNames } from '../contracts/backup-keys.ts';
import { lockNamespace } from '../contracts/names.ts';
import type { TargetProfile } from '../contracts/target.ts';

/** Verbs on one resource of Kubernetes that a worker needs for a target. */
export interface Permission {
  /** Empty for the core group, `*` for every group. */
  apiGroup: string;
  /** `*` for every one. */
  resource: string;
  subresource?: string;
  /** Undefined: in the whole cluster, by a ClusterRole. */
  namespace: string | undefined;
  /** Only these objects; without it every one of the namespace. */
  names?: string[];
  verbs: string[];
  /** What a run needs it for, as the end of "a run needs it to …". */
  why: string;
  /** Runs go on without it, and their plans say `unknown`. */
  optional?: true;
  /** What they do instead, when it is something else than that; the end of "a run …". */
  instead?: string;
}

/**
 * Everything that procedures do in the cluster of a target, and no more; recoveries, drills and pauses of owners have manifests
 * of their own. deploy/kubernetes grants exactly this; a test compares the two.
 */
export function permissionsFor(profile: TargetProfile): Permission[] {
  const { namespace } = profile;
  return [
    {
      apiGroup: 'apps',
      resource: 'deployments',
      namespace,
      // Procedures change Deployments only and refuse other kinds.
      names: Object.keys(profile.workloads).filter((name) => profile.workloads[name]?.kind === 'Deployment'),
      verbs: ['get', 'list', 'watch', 'patch'],
      why: 'plan, change, watch and undo',
    },
    {
      apiGroup: 'apps',
      resource: 'replicasets',
      namespace,
      verbs: ['list', 'watch'],
      why: 'tell new pods from old ones, read earlier templates, and prove an undo',
    },
    {
      apiGroup: '',
      resource: 'pods',
      namespace,
      verbs: ['list', 'watch'],
      why: 'watch a rollout and prove that it is healthy',
    },
    {
      apiGroup: '',
      resource: 'events',
      namespace,
      verbs: ['list', 'watch'],
      why: 'say why a pod does not come up',
    },
    {
      apiGroup: '',
      resource: 'resourcequotas',
      namespace,
      verbs: ['list'],
      why: 'check the quota before a change',
    },
    {
      apiGroup: '',
      resource: 'limitranges',
      namespace,
      verbs: ['list'],
      why: 'check the quota before a change',
    },
    {
      apiGroup: 'policy',
      resource: 'poddisruptionbudgets',
      namespace,
      verbs: ['list'],
      why: 'tell the reader of a plan about them',
      optional: true,
    },
    {
      apiGroup: 'autoscaling',
      resource: 'horizontalpodautoscalers',
      namespace,
      verbs: ['list'],
      why: 'tell the reader of a plan about them',
      optional: true,
    },
    ...['configmaps', 'serviceaccounts', 'persistentvolumeclaims'].map((resource) => ({
      apiGroup: '',
      resource,
      namespace,
      verbs: ['get'],
      why: 'check before a rollback that what the earlier template needs is still there',
    })),
    ...healthPermissions(profile),
    {
      apiGroup: 'coordination.k8s.io',
      resource: 'leases',
      namespace: lockNamespace,
      verbs: ['get', 'list', 'watch', 'create', 'update'],
      why: 'lock the target while it is changed',
    },
    {
      apiGroup: '',
      resource: 'secrets',
      namespace: lockNamespace,
      names: [auditNames.keySecret],
      verbs: ['get'],
      why: 'sign checkpoints of the audit log',
      optional: true,
    },
    ...backupReadingPermissions(profile),
    ...backupKeyPermissions(profile),
  ];
}

const list = { apiGroup: '*', resource: '*', verbs: ['list'] };

/**
 * What a backup reads. `list` shows whole objects. `get` on everything would be more than reading: it also opens
 * `pods/exec` and the proxies.
 */
function backupReadingPermissions({ namespace, backup }: TargetProfile): Permission[] {
  if (backup === undefined) return [];
  const partial = { optional: true, instead: 'makes partial backups' } as const;
  return [
    { ...list, namespace, why: 'back up every kind that there is' },
    {
      ...list,
      namespace: undefined,
      why: 'back up what the namespace needs of the cluster',
      ...partial,
    },
    ...(backup.logs.sinceSeconds === 0
      ? []
      : [
          {
            apiGroup: '',
            resource: 'pods',
            subresource: 'log',
            namespace,
            verbs: ['get'],
            why: 'back up logs',
            ...partial,
          },
        ]),
    ...hookPermissions(namespace, backup),
  ];
}

function hookPermissions(namespace: string, { hooks }: NonNullable<TargetProfile['backup']>): Permission[] {
  const names = [...new Set([...hooks.before, ...hooks.after].map(({ workload }) => workload))].sort();
  if (names.length === 0) return [];
  const why = 'run the hooks of a backup';
  return [
    ...['deployments', 'statefulsets', 'daemonsets'].map((resource) => ({
      apiGroup: 'apps',
      resource,
      namespace,
      names,
      verbs: ['get'],
      why,
    })),
    { apiGroup: '', resource: 'pods', subresource: 'exec', namespace, verbs: ['get', 'create'], why },
  ];
}

/** The private keys of backups, where there are any to be made: this one Secret and no other. */
function backupKeyPermissions({ target, backup }: TargetProfile): Permission[] {
  if (backup === undefined) return [];
  return [
    {
      apiGroup: '',
      resource: 'secrets',
      namespace: lockNamespace,
      names: [backupKeyNames.secret(target)],
      verbs: ['get'],
      why: 'sign backups, and open them to verify or restore',
    },
  ];
}

/** WebSockets need `get`, and `create` too from Kubernetes 1.35 on. */
function healthPermissions({ health, namespace }: TargetProfile): Permission[] {
  const subresource = {
    'port-forward': 'portforward',
    exec: 'exec',
    'pod-address': undefined,
    url: undefined,
  }[health.via];
  if (subresource === undefined) return [];
  return [
    {
      apiGroup: '',
      resource: 'pods',
      subresource,
      namespace,
      verbs: ['get', 'create'],
      why: 'ask pods for their health',
    },
  ];
}

/** How people and RBAC write the resource: `deployments.apps`, `pods/portforward`. */
export function resourceName({ resource, subresource, apiGroup }: Permission): string {
  const path = subresource === undefined ? resource : `${resource}/${subresource}`;
  return apiGroup === '' ? path : `${path}.${apiGroup}`;
}

/** The line that grants these verbs, for the `rules` of a Role. */
export function ruleLine(permission: Permission, verbs = permission.verbs): string {
  const { apiGroup, resource, subresource, names } = permission;
  const path = subresource === undefined ? resource : `${resource}/${subresource}`;
  const only = names === undefined ? '' : ` resourceNames: [${names.join(', ')}],`;
  return `- { apiGroups: [${quoted(apiGroup)}], resources: [${quoted(path)}],${only} verbs: [${verbs.join(', ')}] }`;
}

/** YAML would take an empty word for nothing, and a star for a reference. */
function quoted(word: string): string {
  return word === '' || word === '*' ? `'${word}'` : word;
}
