import type { KubernetesGateway } from '../src/clients/kubernetes/gateway.ts';
import type { KubernetesObject } from '../src/contracts/kubernetes.ts';
import { waitFor } from '../src/local/wait.ts';

const fieldManager = 'bench';
const customKinds = 30;
const each = 50;

/** How many there are of everything. */
export const mixed = { objects: (customKinds + 10) * each, kinds: customKinds + 10 };

const group = 'bench.example.com';
const plural = (number: number): string => `things${number}`;

/** What `kubectl get` has to be told. */
export const mixedResources = [
  'configmaps',
  'secrets',
  'serviceaccounts',
  'services',
  'roles',
  'rolebindings',
  'networkpolicies',
  'poddisruptionbudgets',
  'cronjobs',
  'ingresses',
  ...Array.from({ length: customKinds }, (_, number) => `${plural(number)}.${group}`),
].join(',');

/** Objects of 40 kinds, 30 of them custom ones; one of the ConfigMaps holds a mebibyte. */
export async function createMixed(gateway: KubernetesGateway, namespace: string): Promise<void> {
  for (let number = 0; number < customKinds; number++)
    await gateway.create(definition(number), { fieldManager });
  await waitFor(
    async () => {
      const { resources } = await gateway.servedApis();
      const served = resources.filter(({ apiVersion }) => apiVersion.startsWith(`${group}/`));
      return served.length === customKinds || undefined;
    },
    { what: 'the custom kinds', timeoutMilliseconds: 120_000, everyMilliseconds: 500 },
  );
  const objects = Array.from({ length: each }, (_, number) => ofEveryKind(number)).flat();
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < objects.length) {
      const object = objects[next++] as KubernetesObject;
      await gateway.create({ ...object, metadata: { ...object.metadata, namespace } }, { fieldManager });
    }
  };
  await Promise.all(Array.from({ length: 16 }, lane));
}

function definition(number: number): KubernetesObject {
  const kind = `Thing${number}`;
  const openAPIV3Schema = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural(number)}.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { plural: plural(number), singular: kind.toLowerCase(), kind, listKind: `${kind}List` },
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema } }],
    },
  };
}

function ofEveryKind(number: number): KubernetesObject[] {
  const metadata = { name: `mixed-${number}` };
  const selector = { matchLabels: { app: metadata.name } };
  const rbac = 'rbac.authorization.k8s.io';
  const text = 'x'.repeat(number === 0 ? 1024 * 1024 - 1024 : 1024);
  const backend = { service: { name: metadata.name, port: { number: 80 } } };
  const template = {
    spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'registry.example/job:1' }] },
  };
  return [
    { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { text } },
    { apiVersion: 'v1', kind: 'Secret', metadata, stringData: { text: text.slice(0, 1024) } },
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata },
    { apiVersion: 'v1', kind: 'Service', metadata, spec: { ports: [{ port: 80 }], clusterIP: 'None' } },
    {
      apiVersion: `${rbac}/v1`,
      kind: 'Role',
      metadata,
      rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }],
    },
    {
      apiVersion: `${rbac}/v1`,
      kind: 'RoleBinding',
      metadata,
      roleRef: { apiGroup: rbac, kind: 'Role', name: metadata.name },
      subjects: [{ kind: 'ServiceAccount', name: metadata.name }],
    },
    { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata, spec: { podSelector: selector } },
    {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata,
      spec: { minAvailable: 1, selector },
    },
    {
      apiVersion: 'batch/v1',
      kind: 'CronJob',
      metadata,
      spec: { schedule: '0 3 * * *', suspend: true, jobTemplate: { spec: { template } } },
    },
    { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', metadata, spec: { defaultBackend: backend } },
    ...Array.from({ length: customKinds }, (_, kind) => ({
      apiVersion: `${group}/v1`,
      kind: `Thing${kind}`,
      metadata,
      spec: { text: text.slice(0, 1024), number },
    })),
  ];
}
