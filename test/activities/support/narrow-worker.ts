import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import type { Activities } from '../../../src/activities/index.ts';
import { createKubernetesGateway } from '../../../src/clients/kubernetes/gateway.ts';
import { lockNamespace } from '../../../src/contracts/names.ts';
import { waitFor } from '../../../src/local/wait.ts';
import { stack, unique } from '../../support/stack.ts';
import type { Place } from './place.ts';

interface Rule {
  apiGroups: string[];
  resources: string[];
  verbs: string[];
}

/** What a worker needs for a rolling update in one namespace. */
export const enough: Rule[] = [
  { apiGroups: ['apps'], resources: ['deployments'], verbs: ['get', 'list', 'watch', 'patch'] },
  { apiGroups: ['apps'], resources: ['replicasets'], verbs: ['get', 'list', 'watch'] },
  { apiGroups: [''], resources: ['pods', 'events'], verbs: ['get', 'list', 'watch'] },
  { apiGroups: [''], resources: ['resourcequotas', 'limitranges'], verbs: ['list'] },
  { apiGroups: ['policy'], resources: ['poddisruptionbudgets'], verbs: ['list'] },
  { apiGroups: ['autoscaling'], resources: ['horizontalpodautoscalers'], verbs: ['list'] },
];

/** The same rules without one resource. */
export function without(resource: string): Rule[] {
  return enough.map((rule) => ({ ...rule, resources: rule.resources.filter((one) => one !== resource) }));
}

export interface NarrowWorker {
  activities: Activities;
  token: string;
  close(): Promise<void>;
}

/** Activities that reach the cluster as a service account with these rights, and those on locks, only. */
export async function narrowWorker(
  place: Place,
  rules: Rule[],
  { locks = true }: { locks?: boolean } = {},
): Promise<NarrowWorker> {
  const name = unique('worker');
  const group = 'rbac.authorization.k8s.io';
  await place.create({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name } });
  const used = rules.filter(({ resources }) => resources.length > 0);
  await place.create({ apiVersion: `${group}/v1`, kind: 'Role', metadata: { name }, rules: used });
  await place.create({
    apiVersion: `${group}/v1`,
    kind: 'RoleBinding',
    metadata: { name },
    roleRef: { apiGroup: group, kind: 'Role', name },
    subjects: [{ kind: 'ServiceAccount', name, namespace: place.namespace }],
  });
  if (locks) await mayUseLocks(place, name);
  const path = `/api/v1/namespaces/${place.namespace}/serviceaccounts/${name}/token`;
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} };
  const { text } = await place.gateway.raw('POST', path, {
    body: { contentType: 'application/json', text: JSON.stringify(body) },
  });
  const { token } = (JSON.parse(text) as { status: { token: string } }).status;
  const file = join(place.targetsFolder, `${name}.kubeconfig`);
  writeFileSync(file, stringify(withUser({ token })));
  const gateway = createKubernetesGateway({ kubeconfigPath: file });
  // The authoriser learns of new roles a moment later.
  const probe = used[0]!;
  await waitFor(
    () => gateway.list({ apiVersion: 'apps/v1', kind: kindOf(probe), namespace: place.namespace }),
    {
      what: 'the role to take effect',
      timeoutMilliseconds: 20_000,
    },
  );
  return {
    activities: place.activitiesWith(gateway),
    token,
    close: async () => {
      await gateway.close();
      rmSync(file);
    },
  };
}

/** Every worker may read and write the locks of targets. */
async function mayUseLocks(place: Place, name: string): Promise<void> {
  const group = 'rbac.authorization.k8s.io';
  const metadata = { name: `${name}-locks`, namespace: lockNamespace };
  const rules = [
    {
      apiGroups: ['coordination.k8s.io'],
      resources: ['leases'],
      verbs: ['get', 'list', 'watch', 'create', 'update'],
    },
  ];
  await place.create({ apiVersion: `${group}/v1`, kind: 'Role', metadata, rules });
  await place.create({
    apiVersion: `${group}/v1`,
    kind: 'RoleBinding',
    metadata,
    roleRef: { apiGroup: group, kind: 'Role', name: metadata.name },
    subjects: [{ kind: 'ServiceAccount', name, namespace: place.namespace }],
  });
}

function kindOf({ resources }: Rule): string {
  return resources.includes('deployments') ? 'Deployment' : 'ReplicaSet';
}

/** The stack's kubeconfig for someone else. */
export function withUser(user: Record<string, unknown>): Record<string, unknown> {
  const content = parse(readFileSync(stack().kubeconfig, 'utf8')) as {
    users: { name: string; user: Record<string, unknown> }[];
  };
  return { ...content, users: content.users.map(({ name }) => ({ name, user })) };
}
