import type { Json, JsonObject } from '../../contracts/json.ts';
import type { KubernetesObject } from '../../contracts/kubernetes.ts';
import { drillCertificate } from './drill-certificate.ts';
import { dropAnnotations, dropAt, editAt, every, isJsonObject, isOneOf, putAt, valueOf } from './edit.ts';
import { kindKey } from './kinds.ts';
import type { KindRules, RuleContext } from './rules/rule.ts';

/** Kinds whose objects have no effect outside of their namespace once the rules have been at them. */
const drilled = new Set([
  'ServiceAccount',
  'Role.rbac.authorization.k8s.io',
  'RoleBinding.rbac.authorization.k8s.io',
  'Secret',
  'ConfigMap',
  'LimitRange',
  'ResourceQuota',
  'PersistentVolumeClaim',
  'Service',
  'Pod',
  'PodTemplate',
  'ReplicationController',
  'ReplicaSet.apps',
  'Deployment.apps',
  'StatefulSet.apps',
  'DaemonSet.apps',
  'ControllerRevision.apps',
  'Job.batch',
  'CronJob.batch',
  'HorizontalPodAutoscaler.autoscaling',
  'PodDisruptionBudget.policy',
  'Ingress.networking.k8s.io',
]);

const builtIn =
  /^$|^[a-z]+$|^(admissionregistration|apiextensions|apiregistration|certificates|coordination|discovery|events|networking|node|rbac\.authorization|resource|scheduling|storage)\.k8s\.io$/;

/** Kinds that make pods, and where the pod lies in them. */
const podPaths: Readonly<Record<string, readonly string[]>> = {
  Pod: ['spec'],
  ReplicationController: ['spec', 'template', 'spec'],
  'ReplicaSet.apps': ['spec', 'template', 'spec'],
  'Deployment.apps': ['spec', 'template', 'spec'],
  'StatefulSet.apps': ['spec', 'template', 'spec'],
  'DaemonSet.apps': ['spec', 'template', 'spec'],
  'Job.batch': ['spec', 'template', 'spec'],
  'CronJob.batch': ['spec', 'jobTemplate', 'spec', 'template', 'spec'],
};

/** What a drill shows instead of a secret: base64 of `drill`. */
export const dummyValue = 'ZHJpbGw=';

/** Every host name of a drill ends so; the domain is reserved and never resolves. */
const nowhere = 'drill.invalid';

const accountOfToken = 'kubernetes.io/service-account.name';
const gitOps = /^(argocd\.argoproj\.io|kustomize\.toolkit\.fluxcd\.io|helm\.toolkit\.fluxcd\.io)\//;

const when = 'in a drill';

/** Beside the rules of recovery, and before them: what keeps a drill from reaching anything but its own namespace. */
export const drillRules: readonly KindRules[] = [
  {
    rules: [
      {
        about: 'not drilled: cluster-scoped objects',
        does: 'leaves the object out',
        when,
        because: 'the namespace of a drill is the only thing that it makes outside of one',
        leavesOut: inDrill(({ metadata }) => metadata.namespace === undefined),
      },
      {
        about: 'not drilled: custom resources',
        does: 'leaves the object out',
        when,
        because:
          'an operator acts on each: it fetches real credentials, orders certificates, changes names; the profile may let some in',
        leavesOut: inDrill(
          (object, { drill }) =>
            isCustom(object) && drill?.customResources.includes(kindKey(object)) !== true,
        ),
      },
      {
        about: 'not drilled: NetworkPolicy',
        does: 'leaves the object out',
        when,
        because: 'policies add up: one that allows anything would open what the policy of the drill closes',
        leavesOut: inDrill((object) => kindKey(object) === 'NetworkPolicy.networking.k8s.io'),
      },
      {
        about: 'not drilled: Endpoints and EndpointSlice',
        does: 'leaves the object out',
        when,
        because: 'those that somebody made by hand name addresses outside, and the others come by themselves',
        leavesOut: inDrill((object) =>
          ['Endpoints', 'EndpointSlice.discovery.k8s.io'].includes(kindKey(object)),
        ),
      },
      {
        about: 'not drilled: kinds that no rule knows',
        does: 'leaves the object out',
        when,
        because: 'nobody has looked at what they do outside of their namespace',
        leavesOut: inDrill((object) => !isCustom(object) && !drilled.has(kindKey(object))),
      },
      {
        about: `labels and annotations of GitOps controllers`,
        does: 'drops',
        when,
        because: 'the controller would take the copy for its own, and delete it or report it',
        edit: editInDrill((object) =>
          dropAnnotations(
            dropAnnotations(object, (name) => gitOps.test(name)),
            (name) => gitOps.test(name),
            'labels',
          ),
        ),
      },
    ],
  },
  {
    kinds: Object.keys(podPaths),
    rules: [
      {
        about:
          'not drilled: workloads that reach into their node (host network, ports, processes, paths; privileged)',
        does: 'leaves the object out',
        when,
        because: 'neither a network policy nor a quota holds on a node, which others run on',
        leavesOut: inDrill(reachesNode),
      },
      {
        about: 'not drilled: workloads with volume claims',
        does: 'leaves the object out',
        when: 'in a drill without allowEmptyClaims',
        because: 'a backup holds no data of volumes, and on an empty one a service shows little',
        leavesOut: inDrill((object, { drill }) => drill?.allowEmptyClaims !== true && usesClaims(object)),
      },
    ],
  },
  {
    kinds: ['PersistentVolumeClaim'],
    rules: [
      {
        about: 'not drilled: volume claims',
        does: 'leaves the object out',
        when: 'in a drill without allowEmptyClaims',
        because: 'each would get a new and empty volume, for workloads that are not drilled either',
        leavesOut: inDrill((_claim, { drill }) => drill?.allowEmptyClaims !== true),
      },
      {
        about: 'spec.dataSource, spec.dataSourceRef',
        does: 'drops',
        when,
        because: 'snapshots are custom resources, which are not in the drill',
        edit: editInDrill((claim) =>
          dropAt(dropAt(claim, ['spec', 'dataSource']), ['spec', 'dataSourceRef']),
        ),
      },
    ],
  },
  {
    kinds: ['Secret'],
    rules: [
      {
        about: 'data',
        does: 'sets',
        when,
        because:
          'with real credentials the copy could reach what the service reaches: every key stays, each value becomes `drill` or what the profile has for it; a certificate becomes one for drill.invalid, credentials of registries become an empty list unless the profile keeps them',
        edit: editInDrill(withDummies),
      },
      {
        about: 'annotations',
        does: 'drops',
        when,
        because: 'tools keep copies of the values in them',
        edit: editInDrill((secret, { drill }) =>
          dropAnnotations(secret, (name) => name !== accountOfToken || keeps(secret, drill)),
        ),
      },
    ],
  },
  {
    kinds: ['ServiceAccount'],
    rules: [
      {
        about: 'annotations',
        does: 'drops',
        when,
        because: 'they can give pods a role in a cloud',
        edit: editInDrill((account) => dropAnnotations(account, () => true)),
      },
    ],
  },
  {
    kinds: ['Service'],
    rules: [
      {
        about: 'annotations',
        does: 'drops',
        when,
        because: 'controllers of load balancers and names act on them',
        edit: editInDrill((service) => dropAnnotations(service, () => true)),
      },
      {
        about: 'spec.externalName',
        does: 'sets',
        when,
        because: 'it names something outside; it becomes drill.invalid',
        edit: editInDrill((service) =>
          valueOf(service, 'spec', 'type') === 'ExternalName'
            ? putAt(service, ['spec', 'externalName'], nowhere)
            : service,
        ),
      },
    ],
  },
  {
    kinds: ['Ingress.networking.k8s.io'],
    rules: [
      {
        about: 'annotations',
        does: 'drops',
        when,
        because: 'controllers order certificates and change names for them, whatever the class',
        edit: editInDrill((ingress) => dropAnnotations(ingress, () => true)),
      },
      {
        about: 'spec.rules[].host, spec.tls[].hosts',
        does: 'sets',
        when,
        because: 'the name is that of the service; it goes below drill.invalid',
        edit: editInDrill((ingress) =>
          editAt(
            editAt(ingress, ['spec', 'rules', every, 'host'], elsewhere),
            ['spec', 'tls', every, 'hosts', every],
            elsewhere,
          ),
        ),
      },
    ],
  },
];

function inDrill(
  leavesOut: (object: KubernetesObject, context: RuleContext) => boolean,
): (object: KubernetesObject, context: RuleContext) => boolean {
  return (object, context) => context.purpose === 'drill' && leavesOut(object, context);
}

function editInDrill(
  edit: (object: KubernetesObject, context: RuleContext) => KubernetesObject,
): (object: KubernetesObject, context: RuleContext) => KubernetesObject {
  return (object, context) => (context.purpose === 'drill' ? edit(object, context) : object);
}

function isCustom({ apiVersion }: KubernetesObject): boolean {
  return !builtIn.test(apiVersion.includes('/') ? (apiVersion.split('/')[0] ?? '') : '');
}

function podOf(object: KubernetesObject): JsonObject {
  const pod = valueOf(object, ...(podPaths[kindKey(object)] ?? ['spec']));
  return isJsonObject(pod) ? pod : {};
}

function reachesNode(object: KubernetesObject): boolean {
  const pod = podOf(object);
  if (['hostNetwork', 'hostPID', 'hostIPC'].some((field) => pod[field] === true)) return true;
  if (objectsIn(pod['volumes']).some((volume) => volume['hostPath'] !== undefined)) return true;
  return ['containers', 'initContainers', 'ephemeralContainers']
    .flatMap((list) => objectsIn(pod[list]))
    .some(({ securityContext, ports }) => {
      const privileged = isJsonObject(securityContext) && securityContext['privileged'] === true;
      return privileged || objectsIn(ports).some(({ hostPort = 0 }) => hostPort !== 0);
    });
}

function usesClaims(object: KubernetesObject): boolean {
  return (
    objectsIn(valueOf(object, 'spec', 'volumeClaimTemplates')).length > 0 ||
    objectsIn(podOf(object)['volumes']).some(
      (volume) => volume['persistentVolumeClaim'] !== undefined || volume['ephemeral'] !== undefined,
    )
  );
}

function withDummies(secret: KubernetesObject, { drill }: RuleContext): KubernetesObject {
  if (keeps(secret, drill)) return secret;
  const known = { ...emptyOf(secret['type']), ...givenFor(secret, drill) };
  const data = valueOf(secret, 'data');
  const dummies = isJsonObject(data)
    ? Object.fromEntries(
        Object.keys(data).map((key) => [
          key,
          Object.hasOwn(known, key) ? (known[key] ?? dummyValue) : dummyValue,
        ]),
      )
    : undefined;
  const bare = dropAt(dropAt(secret, ['stringData']), ['data']);
  return dummies === undefined ? bare : putAt(bare, ['data'], dummies);
}

/** What the profile wants instead of `drill`, since the service has to read it; plain ASCII. */
function givenFor({ metadata }: KubernetesObject, drill: RuleContext['drill']): Record<string, string> {
  const dummies = drill?.dummies ?? {};
  const given = Object.hasOwn(dummies, metadata.name) ? (dummies[metadata.name] ?? {}) : {};
  return Object.fromEntries(Object.entries(given).map(([key, text]) => [key, btoa(text)]));
}

/** What a reader of such a Secret can parse. */
function emptyOf(type: unknown): Readonly<Record<string, string>> {
  switch (type) {
    case 'kubernetes.io/tls':
      return drillCertificate;
    case 'kubernetes.io/dockerconfigjson':
      return { '.dockerconfigjson': btoa('{"auths":{}}') };
    case 'kubernetes.io/dockercfg':
      return { '.dockercfg': btoa('{}') };
    default:
      return {};
  }
}

function keeps(secret: KubernetesObject, drill: RuleContext['drill']): boolean {
  const type = secret['type'];
  return (
    drill?.pullSecrets === 'keep' &&
    typeof type === 'string' &&
    isOneOf(type, 'kubernetes.io/dockerconfigjson', 'kubernetes.io/dockercfg')
  );
}

/** The first label keeps hosts apart; longer names could pass what a name may have. */
function elsewhere(host: Json): Json {
  if (typeof host !== 'string' || host.endsWith(`.${nowhere}`)) return host;
  return `${host.slice(0, 200).replace(/[.-]+$/, '')}.${nowhere}`;
}

function objectsIn(value: Json | undefined): JsonObject[] {
  return (Array.isArray(value) ? value : []).filter(isJsonObject);
}
