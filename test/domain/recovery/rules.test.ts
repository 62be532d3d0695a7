import { describe, expect, test } from '@jest/globals';
import { changeAnnotation } from '../../../src/contracts/names.ts';
import { merged, prepare, restoreRules } from '../../../src/domain/recovery/rules/index.ts';
import { aClusterObject, aContext, anObject, prepared } from './support.ts';

const appliedPorts = (ports: unknown[], more: Record<string, unknown> = {}): Record<string, string> => ({
  'kubectl.kubernetes.io/last-applied-configuration': JSON.stringify({ spec: { ports, ...more } }),
});

describe('every object', () => {
  const object = anObject(
    'ConfigMap',
    { data: { a: '1' } },
    {
      uid: 'u',
      resourceVersion: '1',
      generation: 3,
      creationTimestamp: 'then',
      managedFields: [],
      labels: { app: 'web' },
      annotations: { [changeAnnotation]: 'w/r/s', note: 'mine' },
      ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'o', uid: 'gone' }],
      finalizers: ['example.org/guard', 'foregroundDeletion', 'orphan'],
    },
  );

  test('loses what the server sets, dead owners and the mark of an earlier run; the rest stays', () => {
    expect(prepared(object)).toEqual({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {
        name: 'web',
        namespace: 'shop',
        labels: { app: 'web' },
        annotations: { note: 'mine' },
        finalizers: ['example.org/guard'],
      },
      data: { a: '1' },
    });
  });

  test('in a drill has no finalizer, so that its namespace can go', () => {
    expect(prepared(object, { purpose: 'drill' }).metadata).not.toHaveProperty('finalizers');
  });

  test('that only had finalizers of a deletion has none', () => {
    expect(prepared(anObject('ConfigMap', {}, { finalizers: ['orphan'] })).metadata).not.toHaveProperty(
      'finalizers',
    );
  });

  test('of a kind that no rule names is restored as it is', () => {
    const custom = anObject('Widget.example.org', { spec: { size: 3, list: [] } });
    expect(prepared(custom)).toEqual(custom);
  });

  test('that exists keeps its owners, and finalizers beside those of the backup', () => {
    const live = anObject(
      'ConfigMap',
      {},
      {
        ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'o', uid: 'new' }],
        finalizers: ['live', 'both'],
      },
    );
    const wanted = anObject('ConfigMap', {}, { finalizers: ['both', 'stored'] });
    expect(merged(wanted, live, aContext()).metadata).toMatchObject({
      ownerReferences: [{ uid: 'new' }],
      finalizers: ['live', 'both', 'stored'],
    });
  });
});

describe('a Service', () => {
  const service = (spec: Record<string, unknown>, annotations?: Record<string, string>) =>
    anObject('Service', { spec }, annotations === undefined ? {} : { annotations });

  test('loses its cluster address', () => {
    expect(prepared(service({ clusterIP: '10.0.0.1', clusterIPs: ['10.0.0.1'], ports: [] }))['spec']).toEqual(
      {
        ports: [],
      },
    );
  });

  test('that is headless stays headless', () => {
    const spec = { clusterIP: 'None', clusterIPs: ['None'] };
    expect(prepared(service(spec))['spec']).toEqual(spec);
  });

  test('of type ExternalName is left alone', () => {
    const spec = { type: 'ExternalName', externalName: 'db.example.org', clusterIP: '' };
    expect(prepared(service(spec))['spec']).toEqual(spec);
  });

  test('loses a node port that the server chose', () => {
    const spec = { type: 'NodePort', ports: [{ port: 80, nodePort: 31000 }] };
    expect(prepared(service(spec))['spec']).toEqual({ type: 'NodePort', ports: [{ port: 80 }] });
  });

  test('keeps a node port that somebody applied, and only that one', () => {
    const ports = [
      { port: 80, nodePort: 31000 },
      { port: 81, protocol: 'UDP', nodePort: 31001 },
    ];
    const annotations = appliedPorts([
      { port: 80, nodePort: 31000 },
      { port: 81, protocol: 'UDP' },
    ]);
    expect(prepared(service({ ports }, annotations))['spec']).toEqual({
      ports: [
        { port: 80, nodePort: 31000 },
        { port: 81, protocol: 'UDP' },
      ],
    });
  });

  test('keeps a node port that a manager owns', () => {
    const fieldsV1 = { 'f:spec': { 'f:ports': { 'k:{"port":80,"protocol":"TCP"}': { 'f:nodePort': {} } } } };
    const dropped = { metadata: { managedFields: [{ manager: 'flux', operation: 'Apply', fieldsV1 }] } };
    const spec = { ports: [{ port: 80, nodePort: 31000 }] };
    expect(prepared(service(spec), { dropped })['spec']).toEqual(spec);
  });

  test('loses every node port on its way into another namespace', () => {
    const spec = { ports: [{ port: 80, nodePort: 31000 }], healthCheckNodePort: 31002 };
    const annotations = appliedPorts([{ port: 80, nodePort: 31000 }], { healthCheckNodePort: 31002 });
    expect(prepared(service(spec, annotations), { into: 'other' })['spec']).toEqual({
      ports: [{ port: 80 }],
    });
    expect(prepared(service(spec, annotations))['spec']).toEqual(spec);
  });

  test('with a broken note of kubectl counts as having chosen nothing', () => {
    const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': '{"spec":' };
    const spec = { ports: [{ port: 80, nodePort: 31000 }], healthCheckNodePort: 31002 };
    expect(prepared(service(spec, annotations))['spec']).toEqual({ ports: [{ port: 80 }] });
  });

  test('that exists keeps its address and ports', () => {
    const live = service({
      clusterIP: '10.0.0.9',
      clusterIPs: ['10.0.0.9'],
      ports: [{ port: 80, protocol: 'TCP', nodePort: 32000 }],
      healthCheckNodePort: 32001,
    });
    expect(merged(service({ ports: [{ port: 80 }, { port: 82 }] }), live, aContext())['spec']).toEqual({
      clusterIP: '10.0.0.9',
      clusterIPs: ['10.0.0.9'],
      healthCheckNodePort: 32001,
      ports: [{ port: 80, nodePort: 32000 }, { port: 82 }],
    });
  });

  test('in a drill cannot be reached from outside', () => {
    const spec = {
      type: 'LoadBalancer',
      ports: [{ port: 80 }],
      externalIPs: ['192.0.2.1'],
      externalTrafficPolicy: 'Local',
      loadBalancerIP: '192.0.2.2',
      allocateLoadBalancerNodePorts: true,
    };
    expect(prepared(service(spec), { purpose: 'drill' })['spec']).toEqual({
      type: 'ClusterIP',
      ports: [{ port: 80 }],
    });
  });
});

describe('a Job', () => {
  const job = (spec: Record<string, unknown>) => anObject('Job.batch', { spec });
  const withUid = {
    selector: { matchLabels: { 'batch.kubernetes.io/controller-uid': 'u' } },
    template: {
      metadata: { labels: { 'controller-uid': 'u', 'batch.kubernetes.io/controller-uid': 'u', app: 'x' } },
    },
  };

  test('loses the selector and labels with the uid of the former one', () => {
    expect(prepared(job(withUid))['spec']).toEqual({ template: { metadata: { labels: { app: 'x' } } } });
  });

  test('with a selector of its own keeps it', () => {
    const spec = { ...withUid, manualSelector: true };
    expect(prepared(job(spec))['spec']).toEqual(spec);
  });

  test.each([
    ['completionTime', { completionTime: '2026-01-01T00:00:00Z' }, true],
    ['condition Complete', { conditions: [{ type: 'Complete', status: 'True' }] }, true],
    ['condition Failed', { conditions: [{ type: 'Failed', status: 'True' }] }, true],
    ['condition Complete that is False', { conditions: [{ type: 'Complete', status: 'False' }] }, false],
    ['condition Suspended', { conditions: [{ type: 'Suspended', status: 'True' }] }, false],
    ['no condition', {}, false],
  ])('with %s is left out: %j', (_case, status, expected) => {
    expect('leftOut' in prepare(job({}), aContext({ dropped: { metadata: {}, status } }))).toBe(expected);
  });

  test('in a drill is suspended, and so is a CronJob', () => {
    expect(prepared(job({ suspend: false }), { purpose: 'drill' })['spec']).toEqual({ suspend: true });
    const cronJob = anObject('CronJob.batch', { spec: { schedule: '* * * * *' } });
    expect(prepared(cronJob, { purpose: 'drill' })['spec']).toEqual({ schedule: '* * * * *', suspend: true });
    expect(prepared(cronJob)).toEqual(cronJob);
  });
});

describe('a claim', () => {
  const claim = anObject(
    'PersistentVolumeClaim',
    { spec: { volumeName: 'pv-1', storageClassName: 'fast' } },
    {
      annotations: {
        'pv.kubernetes.io/bind-completed': 'yes',
        'pv.kubernetes.io/bound-by-controller': 'yes',
        'volume.kubernetes.io/selected-node': 'n1',
        'volume.kubernetes.io/storage-provisioner': 'p',
      },
    },
  );

  test('loses its binding and a volume that is gone', () => {
    expect(prepared(claim)).toEqual(
      anObject('PersistentVolumeClaim', { spec: { storageClassName: 'fast' } }),
    );
  });

  test('keeps the volume that is there for it', () => {
    expect(prepared(claim, { volumeKept: (name) => name === 'pv-1' })['spec']).toHaveProperty('volumeName');
  });

  test('never takes a volume of the service in a drill', () => {
    const drill = { allowEmptyClaims: true, customResources: [], pullSecrets: 'empty' as const, dummies: {} };
    const change = { purpose: 'drill' as const, volumeKept: () => true, drill };
    expect(prepared(claim, change)['spec']).not.toHaveProperty('volumeName');
  });

  test('that exists keeps its binding, whatever the backup says', () => {
    const wanted = prepared(claim);
    expect(merged(wanted, claim, aContext())).toEqual(claim);
  });
});

test('a volume waits for its claim by name alone, and says nothing of a binding', () => {
  const volume = aClusterObject(
    'PersistentVolume',
    { spec: { claimRef: { name: 'data', namespace: 'shop', uid: 'u', resourceVersion: '1' }, capacity: {} } },
    {
      annotations: {
        'pv.kubernetes.io/bound-by-controller': 'yes',
        'pv.kubernetes.io/provisioned-by': 'csi',
      },
      finalizers: ['kubernetes.io/pv-protection', 'external-attacher/csi'],
    },
  );
  expect(prepared(volume)).toEqual(
    aClusterObject(
      'PersistentVolume',
      { spec: { claimRef: { name: 'data', namespace: 'shop' }, capacity: {} } },
      {
        annotations: { 'pv.kubernetes.io/provisioned-by': 'csi' },
        finalizers: ['kubernetes.io/pv-protection'],
      },
    ),
  );
});

describe('a pod', () => {
  test('loses node, priority and token, and keeps its own volumes', () => {
    const mounts = [
      { name: 'data', mountPath: '/data' },
      { name: 'kube-api-access-abcde', mountPath: '/var/run/secrets' },
    ];
    const pod = anObject('Pod', {
      spec: {
        nodeName: 'n1',
        priority: 10,
        preemptionPolicy: 'Never',
        priorityClassName: 'high',
        ephemeralContainers: [],
        serviceAccountName: 'web',
        volumes: [{ name: 'data' }, { name: 'kube-api-access-abcde' }, { name: 'web-token-x' }],
        containers: [{ name: 'app', volumeMounts: mounts }],
      },
    });
    expect(prepared(pod)['spec']).toEqual({
      priorityClassName: 'high',
      serviceAccountName: 'web',
      volumes: [{ name: 'data' }],
      containers: [{ name: 'app', volumeMounts: [{ name: 'data', mountPath: '/data' }] }],
    });
  });

  test.each([
    ['Succeeded', true],
    ['Failed', true],
    ['Running', false],
    ['Pending', false],
    [undefined, false],
  ])('in phase %s is left out: %j', (phase, expected) => {
    const status: Record<string, string> = phase === undefined ? {} : { phase };
    expect('leftOut' in prepare(anObject('Pod'), aContext({ dropped: { metadata: {}, status } }))).toBe(
      expected,
    );
  });
});

describe('an account', () => {
  test('loses the token Secrets that the cluster made', () => {
    const account = anObject('ServiceAccount', { secrets: [{ name: 'web-token-abcde' }, { name: 'pull' }] });
    expect(prepared(account)['secrets']).toEqual([{ name: 'pull' }]);
    expect(prepared(anObject('ServiceAccount', { secrets: [{ name: 'web-token-x' }] }))).not.toHaveProperty(
      'secrets',
    );
  });

  test('that exists gets the lists of both', () => {
    const live = anObject('ServiceAccount', { imagePullSecrets: [{ name: 'a' }] });
    const wanted = anObject('ServiceAccount', { imagePullSecrets: [{ name: 'b' }, { name: 'a' }] });
    expect(merged(wanted, live, aContext())['imagePullSecrets']).toEqual([{ name: 'a' }, { name: 'b' }]);
  });
});

describe('a token Secret', () => {
  const secret = (name: string) =>
    anObject(
      'Secret',
      {
        type: 'kubernetes.io/service-account-token',
        data: { token: 'eA==', 'ca.crt': 'eA==', extra: 'eA==' },
      },
      {
        name,
        annotations: {
          'kubernetes.io/service-account.name': 'web',
          'kubernetes.io/service-account.uid': 'gone',
        },
      },
    );

  test('that somebody made loses the token and the uid', () => {
    expect(prepared(secret('hand-made'))).toMatchObject({
      data: { extra: 'eA==' },
      metadata: { annotations: { 'kubernetes.io/service-account.name': 'web' } },
    });
    expect(prepared(secret('hand-made')).metadata.annotations).not.toHaveProperty(
      'kubernetes.io/service-account.uid',
    );
  });

  test.each([
    ['web-token-abcde', true],
    ['web-token-abcd', false],
    ['web-token-abcdef', false],
    ['other-token-abcde', false],
  ])('called %s is left out: %j', (name, expected) => {
    expect('leftOut' in prepare(secret(name), aContext())).toBe(expected);
  });

  test('of another type is restored with all its values', () => {
    const plain = anObject('Secret', { type: 'Opaque', data: { token: 'eA==' } });
    expect(prepared(plain)).toEqual(plain);
  });
});

describe('what controllers keep is left out', () => {
  const ownedBy = (kind: string, apiVersion: string, controller = true) => ({
    ownerReferences: [{ apiVersion, kind, name: 'o', uid: 'u', controller }],
  });

  test.each([
    ['ReplicaSet.apps', 'Deployment', 'apps/v1', true],
    ['Pod', 'ReplicaSet', 'apps/v1', true],
    ['Pod', 'Database', 'example.org/v1', true],
    ['Job.batch', 'CronJob', 'batch/v1', true],
    ['ControllerRevision.apps', 'StatefulSet', 'apps/v1', true],
    ['EndpointSlice.discovery.k8s.io', 'Service', 'v1', true],
    ['Secret', 'Certificate', 'cert-manager.io/v1', false],
    ['StatefulSet.apps', 'Database', 'example.org/v1', false],
    ['ReplicaSet.apps', 'Rollout', 'argoproj.io/v1alpha1', false],
  ])('%s of %s: %j', (kind, owner, apiVersion, expected) => {
    expect('leftOut' in prepare(anObject(kind, {}, ownedBy(owner, apiVersion)), aContext())).toBe(expected);
  });

  test('but not what only names an owner', () => {
    expect(
      'object' in prepare(anObject('Pod', {}, ownedBy('Deployment', 'apps/v1', false)), aContext()),
    ).toBe(true);
  });

  test.each([
    ['ConfigMap', { name: 'kube-root-ca.crt' }],
    ['ClusterRole.rbac.authorization.k8s.io', { labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults' } }],
    [
      'EndpointSlice.discovery.k8s.io',
      { labels: { 'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io' } },
    ],
    ['Endpoints', { annotations: { 'endpoints.kubernetes.io/last-change-trigger-time': 'then' } }],
    ['Pod', { annotations: { 'kubernetes.io/config.mirror': 'x' } }],
    [
      'APIService.apiregistration.k8s.io',
      { labels: { 'kube-aggregator.kubernetes.io/automanaged': 'onstart' } },
    ],
  ])('%s that the cluster makes', (kind, metadata) => {
    expect('leftOut' in prepare(anObject(kind, { spec: { service: {} } }, metadata), aContext())).toBe(true);
  });

  test('an APIService without a Service is built in', () => {
    const service = (spec: Record<string, unknown>) =>
      prepare(aClusterObject('APIService.apiregistration.k8s.io', { spec }), aContext());
    expect('leftOut' in service({ group: 'x' })).toBe(true);
    expect('object' in service({ service: { name: 'a', namespace: 'shop' } })).toBe(true);
  });

  test('addresses made by hand are restored', () => {
    expect(prepared(anObject('EndpointSlice.discovery.k8s.io', { endpoints: [] }))).toHaveProperty(
      'endpoints',
    );
  });
});

describe('other kinds', () => {
  test('a workload loses the counts of its controller, and keeps them where it exists', () => {
    const revision = { 'deployment.kubernetes.io/revision': '7' };
    const workload = anObject(
      'Deployment.apps',
      { spec: { replicas: 2 } },
      { annotations: { ...revision, a: '1' } },
    );
    const wanted = prepared(workload);
    expect(wanted.metadata.annotations).toEqual({ a: '1' });
    expect(merged(wanted, workload, aContext()).metadata.annotations).toEqual({ a: '1', ...revision });
  });

  test('replicas are left to an autoscaler', () => {
    const live = anObject('Deployment.apps', { spec: { replicas: 9 } });
    const wanted = anObject('Deployment.apps', { spec: { replicas: 2 } });
    const context = aContext({ autoscaled: ({ kind, name }) => kind === 'Deployment' && name === 'web' });
    expect(merged(wanted, live, context)['spec']).toEqual({ replicas: 9 });
    expect(merged(wanted, live, aContext())['spec']).toEqual({ replicas: 2 });
  });

  test('an aggregated role loses the rules that were collected', () => {
    const role = aClusterObject('ClusterRole.rbac.authorization.k8s.io', {
      aggregationRule: {},
      rules: [{}],
    });
    expect(prepared(role)).not.toHaveProperty('rules');
    const plain = aClusterObject('ClusterRole.rbac.authorization.k8s.io', { rules: [{}] });
    expect(prepared(plain)).toEqual(plain);
  });

  test('an Ingress in a drill is served by nobody', () => {
    const ingress = anObject(
      'Ingress.networking.k8s.io',
      { spec: { ingressClassName: 'nginx', rules: [] } },
      { annotations: { 'kubernetes.io/ingress.class': 'nginx' } },
    );
    expect(prepared(ingress)).toEqual(ingress);
    expect(prepared(ingress, { purpose: 'drill' })).toEqual(
      anObject('Ingress.networking.k8s.io', {
        spec: { rules: [], ingressClassName: 'runbook-drill-served-by-nobody' },
      }),
    );
  });

  test('a webhook with side effects of an old version says None', () => {
    const hooks = (sideEffects: string) =>
      aClusterObject('ValidatingWebhookConfiguration.admissionregistration.k8s.io', {
        webhooks: [{ name: 'a', sideEffects, clientConfig: { caBundle: 'eA==' } }],
      });
    expect(prepared(hooks('Unknown'))).toEqual(hooks('None'));
    expect(prepared(hooks('NoneOnDryRun'))).toEqual(hooks('NoneOnDryRun'));
  });

  test('an autoscaler loses status in annotations, a Namespace its finalizers', () => {
    const autoscaler = anObject(
      'HorizontalPodAutoscaler.autoscaling',
      {},
      {
        annotations: { 'autoscaling.alpha.kubernetes.io/conditions': '[]' },
      },
    );
    expect(prepared(autoscaler).metadata).not.toHaveProperty('annotations');
    expect(
      prepared(aClusterObject('Namespace', { spec: { finalizers: ['kubernetes'] } })),
    ).not.toHaveProperty('spec');
  });
});

test('every rule says why', () => {
  const rules = restoreRules.flatMap((one) => one.rules);
  expect(rules.length).toBeGreaterThan(30);
  expect(rules.filter(({ because }) => because.length < 10)).toEqual([]);
});
