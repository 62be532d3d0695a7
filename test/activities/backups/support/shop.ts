import { stringify } from 'yaml';

/** What a service in a namespace is made of, as someone would write it; `shop` is the suffix of names in the cluster. */
export function shopManifest(namespace: string, group: string): string {
  const rbac = 'rbac.authorization.k8s.io';
  const labels = { app: 'web' };
  const template = {
    metadata: { labels },
    spec: {
      serviceAccountName: 'web',
      priorityClassName: `high-${namespace}`,
      containers: [{ name: 'main', image: 'registry.example/web:1', env: [{ name: 'A', value: '1' }] }],
    },
  };
  const spec = { replicas: 0, selector: { matchLabels: labels }, template };
  const claim = {
    accessModes: ['ReadWriteOnce'],
    resources: { requests: { storage: '1Gi' } },
    storageClassName: `slow-${namespace}`,
  };
  const once = { template: { spec: { ...template.spec, restartPolicy: 'Never' } } };
  const binding = { apiGroup: rbac, kind: 'ClusterRole', name: `viewer-${namespace}` };
  const account = [{ kind: 'ServiceAccount', name: 'web', namespace }];
  const object = (
    apiVersion: string,
    kind: string,
    name: string,
    more: object = {},
    metadata: object = {},
  ): object => ({
    apiVersion,
    kind,
    metadata: { name, ...metadata },
    ...more,
  });
  return [
    object('scheduling.k8s.io/v1', 'PriorityClass', `high-${namespace}`, { value: 7 }),
    object('storage.k8s.io/v1', 'StorageClass', `slow-${namespace}`, {
      provisioner: 'example.com/none',
      volumeBindingMode: 'WaitForFirstConsumer',
    }),
    object('networking.k8s.io/v1', 'IngressClass', `outer-${namespace}`, {
      spec: { controller: 'example.com/none' },
    }),
    object(`${rbac}/v1`, 'ClusterRole', `viewer-${namespace}`, {
      rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }],
    }),
    object(`${rbac}/v1`, 'ClusterRoleBinding', `viewer-${namespace}`, {
      roleRef: binding,
      subjects: account,
    }),
    object('v1', 'PersistentVolume', `volume-${namespace}`, {
      spec: {
        capacity: { storage: '1Gi' },
        accessModes: ['ReadWriteOnce'],
        hostPath: { path: '/nowhere' },
        storageClassName: `slow-${namespace}`,
        claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name: 'files' },
      },
    }),
    object('v1', 'ServiceAccount', 'web', {}, { annotations: { 'example.com/role': 'web' } }),
    object('v1', 'Secret', 'password', { stringData: { password: 'canary-4f7a' } }),
    object(
      'v1',
      'Secret',
      'token',
      { type: 'kubernetes.io/service-account-token' },
      { annotations: { 'kubernetes.io/service-account.name': 'web' } },
    ),
    object('v1', 'ConfigMap', 'settings', { data: { 'a.conf': 'x: 1\n' }, binaryData: { blob: 'AAECAw==' } }),
    object('v1', 'ConfigMap', 'fixed', { data: { a: '1' }, immutable: true }),
    object('v1', 'PersistentVolumeClaim', 'files', { spec: { ...claim, volumeName: `volume-${namespace}` } }),
    object('v1', 'Service', 'web', { spec: { selector: labels, ports: [{ port: 80, targetPort: 8080 }] } }),
    object('v1', 'Service', 'outer', { spec: { type: 'NodePort', selector: labels, ports: [{ port: 80 }] } }),
    object('v1', 'Service', 'pods', { spec: { clusterIP: 'None', selector: labels, ports: [{ port: 80 }] } }),
    object('v1', 'Service', 'elsewhere', { spec: { ports: [{ port: 5432 }] } }),
    object(
      'discovery.k8s.io/v1',
      'EndpointSlice',
      'elsewhere-1',
      {
        addressType: 'IPv4',
        endpoints: [{ addresses: ['192.0.2.7'] }],
        ports: [{ name: '', port: 5432, protocol: 'TCP' }],
      },
      { labels: { 'kubernetes.io/service-name': 'elsewhere' } },
    ),
    object('v1', 'LimitRange', 'limits', {
      spec: { limits: [{ type: 'Container', default: { memory: '1Gi' } }] },
    }),
    object('v1', 'ResourceQuota', 'quota', { spec: { hard: { pods: '50' } } }),
    object('apps/v1', 'Deployment', 'web', { spec }),
    object('apps/v1', 'DaemonSet', 'agent', {
      spec: {
        selector: { matchLabels: { app: 'agent' } },
        template: {
          metadata: { labels: { app: 'agent' } },
          spec: { ...template.spec, nodeSelector: { nowhere: 'at-all' } },
        },
      },
    }),
    object('apps/v1', 'StatefulSet', 'database', {
      spec: {
        ...spec,
        serviceName: 'pods',
        volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: claim }],
      },
    }),
    object('batch/v1', 'CronJob', 'nightly', {
      spec: { schedule: '0 3 * * *', suspend: true, jobTemplate: { spec: once } },
    }),
    object('batch/v1', 'Job', 'once', { spec: { ...once, suspend: true } }),
    object('autoscaling/v2', 'HorizontalPodAutoscaler', 'web', {
      spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }, maxReplicas: 3 },
    }),
    object('policy/v1', 'PodDisruptionBudget', 'web', {
      spec: { minAvailable: 1, selector: { matchLabels: labels } },
    }),
    object('networking.k8s.io/v1', 'NetworkPolicy', 'web', {
      spec: { podSelector: { matchLabels: labels }, policyTypes: ['Ingress'] },
    }),
    object('networking.k8s.io/v1', 'Ingress', 'web', {
      spec: {
        ingressClassName: `outer-${namespace}`,
        defaultBackend: { service: { name: 'web', port: { number: 80 } } },
      },
    }),
    object(`${rbac}/v1`, 'Role', 'web', {
      rules: [{ apiGroups: [''], resources: ['configmaps'], verbs: ['get'] }],
    }),
    object(`${rbac}/v1`, 'RoleBinding', 'web', {
      roleRef: { ...binding, kind: 'Role', name: 'web' },
      subjects: account,
    }),
    object(`${rbac}/v1`, 'RoleBinding', 'viewer', { roleRef: binding, subjects: account }),
    object(`${group}/v1`, 'Thing', 'one', { spec: { big: 9007199254740993n, none: [] } }),
  ]
    .map((one) => stringify(one))
    .join('---\n');
}

/** The objects of the cluster in the manifest, for whoever cleans up. */
export function shopClusterObjects(
  namespace: string,
): { apiVersion: string; kind: string; metadata: { name: string } }[] {
  return [
    ['scheduling.k8s.io/v1', 'PriorityClass', 'high'],
    ['storage.k8s.io/v1', 'StorageClass', 'slow'],
    ['networking.k8s.io/v1', 'IngressClass', 'outer'],
    ['rbac.authorization.k8s.io/v1', 'ClusterRole', 'viewer'],
    ['rbac.authorization.k8s.io/v1', 'ClusterRoleBinding', 'viewer'],
    ['v1', 'PersistentVolume', 'volume'],
  ].map(([apiVersion = '', kind = '', name = '']) => ({
    apiVersion,
    kind,
    metadata: { name: `${name}-${namespace}` },
  }));
}
