/**
 * How kwok plays nodes and pods: as its own fast stages do, but by image tag a pod can also fail.
 * A pod without probe and process cannot find out by itself that a release is bad.
 */
interface Expression {
  key: string;
  operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
  values?: string[];
}

interface Stage {
  apiVersion: 'kwok.x-k8s.io/v1alpha1';
  kind: 'Stage';
  metadata: { name: string };
  spec: {
    resourceRef: { apiGroup: 'v1'; kind: string };
    selector: { matchExpressions: Expression[] };
    next: { statusTemplate: string } | { delete: true };
  };
}

/** Image tags whose pods fail: the demo's bad release, and two for tests. */
const failingTags = {
  neverReady: '1.7.6',
  crashLoop: 'crash-loop',
  imageError: 'image-error',
} as const;

const readyStatus = '.status.conditions.[] | select( .type == "Ready" ) | .status';
const tag = '.spec.containers.[].image | split(":") | .[-1]';
const alive: Expression = { key: '.metadata.deletionTimestamp', operator: 'DoesNotExist' };
const pending: Expression = { key: '.status.phase', operator: 'In', values: ['Pending'] };

function stage(name: string, kind: string, matchExpressions: Expression[], statusTemplate?: string): Stage {
  return {
    apiVersion: 'kwok.x-k8s.io/v1alpha1',
    kind: 'Stage',
    metadata: { name },
    spec: {
      resourceRef: { apiGroup: 'v1', kind },
      selector: { matchExpressions },
      next: statusTemplate === undefined ? { delete: true } : { statusTemplate },
    },
  };
}

function podStatus(phase: string, ready: boolean, state: string, restarts = 0): string {
  const condition = (type: string, value: boolean): string =>
    `- {type: ${type}, status: "${value ? 'True' : 'False'}", lastTransitionTime: {{ $now | Quote }}}`;
  return `{{ $now := Now }}
conditions:
${condition('Initialized', true)}
${condition('Ready', ready)}
${condition('ContainersReady', ready)}
{{ range .spec.readinessGates }}
- {type: {{ .conditionType | Quote }}, status: "True", lastTransitionTime: {{ $now | Quote }}}
{{ end }}
containerStatuses:
{{ range .spec.containers }}
- image: {{ .image | Quote }}
  imageID: {{ .image | Quote }}
  name: {{ .name | Quote }}
  ready: ${ready}
  started: ${phase === 'Running'}
  restartCount: ${restarts}
  state:
    ${state}
{{ end }}
{{ with NodeIPsWith .spec.nodeName }}
hostIP: {{ index . 0 | Quote }}
hostIPs:
- ip: {{ index . 0 | Quote }}
{{ end }}
{{ with PodIPsWith .spec.nodeName ( or .spec.hostNetwork false ) ( or .metadata.uid "" ) ( or .metadata.name "" ) ( or .metadata.namespace "" ) }}
podIP: {{ index . 0 | Quote }}
podIPs:
- ip: {{ index . 0 | Quote }}
{{ end }}
phase: ${phase}
startTime: {{ $now | Quote }}
`;
}

const running = 'running: {startedAt: {{ $now | Quote }}}';
const waiting = (reason: string): string =>
  `waiting: {reason: ${reason}, message: played by the simulated node}`;

/** A failing pod stays as it is: its stage applies only while it has no container status yet. */
function failing(name: string, imageTag: string, status: string): Stage {
  const fresh: Expression = { key: '.status.containerStatuses', operator: 'DoesNotExist' };
  return stage(
    name,
    'Pod',
    [alive, pending, fresh, { key: tag, operator: 'In', values: [imageTag] }],
    status,
  );
}

export const podStages: readonly Stage[] = [
  stage(
    'pod-ready',
    'Pod',
    [
      alive,
      pending,
      { key: readyStatus, operator: 'NotIn', values: ['True'] },
      { key: tag, operator: 'NotIn', values: Object.values(failingTags) },
    ],
    podStatus('Running', true, running),
  ),
  failing('pod-never-ready', failingTags.neverReady, podStatus('Running', false, running)),
  failing(
    'pod-crash-loop',
    failingTags.crashLoop,
    podStatus('Running', false, waiting('CrashLoopBackOff'), 3),
  ),
  failing(
    'pod-image-error',
    failingTags.imageError,
    podStatus('Pending', false, waiting('ImagePullBackOff')),
  ),
  stage(
    'pod-complete',
    'Pod',
    [
      alive,
      { key: '.status.phase', operator: 'In', values: ['Running'] },
      { key: '.metadata.ownerReferences.[].kind', operator: 'In', values: ['Job'] },
    ],
    podStatus(
      'Succeeded',
      false,
      'terminated: {exitCode: 0, reason: Completed, startedAt: {{ $now | Quote }}, finishedAt: {{ $now | Quote }}}',
    ),
  ),
  stage('pod-delete', 'Pod', [{ key: '.metadata.deletionTimestamp', operator: 'Exists' }]),
];

export const nodeStage: Stage = stage(
  'node-initialize',
  'Node',
  [{ key: readyStatus, operator: 'NotIn', values: ['True'] }],
  `{{ $now := Now }}
conditions:
{{ range NodeConditions }}
- lastHeartbeatTime: {{ $now | Quote }}
  lastTransitionTime: {{ $now | Quote }}
  message: {{ .message | Quote }}
  reason: {{ .reason | Quote }}
  status: {{ .status | Quote }}
  type: {{ .type | Quote }}
{{ end }}
addresses:
- {type: InternalIP, address: {{ NodeIP | Quote }}}
- {type: Hostname, address: {{ NodeName | Quote }}}
daemonEndpoints: {kubeletEndpoint: {Port: {{ NodePort }}}}
allocatable: {cpu: 1k, memory: 1Ti, pods: 1M}
capacity: {cpu: 1k, memory: 1Ti, pods: 1M}
phase: Running
`,
);
