import type { Json, JsonObject } from '../../../contracts/json.ts';
import type { KubernetesObject } from '../../../contracts/kubernetes.ts';
import { dropAt, editAt, every, isJsonObject, isOneOf, putAt, valueOf } from '../edit.ts';
import { moves, type KindRules, type RuleContext } from './rule.ts';
import { filledFrom } from './union.ts';

const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';

export const serviceRules: KindRules = {
  kinds: ['Service'],
  rules: [
    {
      about: 'spec.clusterIP, spec.clusterIPs',
      does: 'drops',
      because: 'the address may belong to another Service by now; None stays, it makes the Service headless',
      edit: (service) =>
        isExternal(service) || valueOf(service, 'spec', 'clusterIP') === 'None'
          ? service
          : dropAt(dropAt(service, ['spec', 'clusterIP']), ['spec', 'clusterIPs']),
      merge: (wanted, live) =>
        isExternal(wanted)
          ? wanted
          : filledFrom(filledFrom(wanted, live, 'spec', 'clusterIP'), live, 'spec', 'clusterIPs'),
    },
    {
      about: 'spec.ports[].nodePort',
      does: 'drops',
      because:
        'the server chose it; one that somebody chose (it is in what they applied) stays, since others connect to it',
      edit: withoutGivenNodePorts,
      merge: withLiveNodePorts,
    },
    {
      about: 'spec.ports[].nodePort',
      does: 'drops',
      when: 'into another namespace',
      because: 'the whole cluster has each port once, and the Service that it comes from may still hold it',
      edit: (service, context) =>
        moves(context) ? dropAt(service, ['spec', 'ports', every, 'nodePort']) : service,
    },
    {
      about: 'spec.healthCheckNodePort',
      does: 'drops',
      because: 'the server chose it, unless somebody applied it',
      edit: (service, context) =>
        isApplied(service, context, 'healthCheckNodePort') && !moves(context)
          ? service
          : dropAt(service, ['spec', 'healthCheckNodePort']),
      merge: (wanted, live) => filledFrom(wanted, live, 'spec', 'healthCheckNodePort'),
    },
    {
      about: 'spec.type: LoadBalancer, NodePort, externalIPs',
      does: 'sets',
      when: 'in a drill',
      because: 'a drill is not to be reached from outside, and a load balancer costs money',
      edit: (service, { purpose }) => (purpose === 'drill' ? insideOnly(service) : service),
    },
    {
      about: 'spec.externalName, spec.loadBalancerIP, spec.ipFamilies',
      does: 'keeps',
      because: 'somebody chose them',
    },
  ],
};

function isExternal(service: KubernetesObject): boolean {
  return valueOf(service, 'spec', 'type') === 'ExternalName';
}

function withoutGivenNodePorts(service: KubernetesObject, context: RuleContext): KubernetesObject {
  const chosen = chosenNodePorts(service, context);
  return editAt(service, ['spec', 'ports', every], (port) =>
    isJsonObject(port) && !chosen(port) ? without(port, 'nodePort') : port,
  );
}

function without(port: JsonObject, key: string): JsonObject {
  return Object.fromEntries(Object.entries(port).filter(([name]) => name !== key));
}

/** Only of a Service outside is there anything to change; the fields of the other types go with the type. */
function insideOnly(service: KubernetesObject): KubernetesObject {
  const outside = isOneOf(valueOf(service, 'spec', 'type'), 'LoadBalancer', 'NodePort');
  const typed = outside ? putAt(service, ['spec', 'type'], 'ClusterIP') : service;
  const fields = [
    'externalIPs',
    ...(outside
      ? [
          'externalTrafficPolicy',
          'allocateLoadBalancerNodePorts',
          'loadBalancerIP',
          'loadBalancerClass',
          'loadBalancerSourceRanges',
        ]
      : []),
  ];
  return fields.reduce((result, field) => dropAt(result, ['spec', field]), typed);
}

function withLiveNodePorts(wanted: KubernetesObject, live: KubernetesObject): KubernetesObject {
  const ports = valueOf(live, 'spec', 'ports');
  const there = Array.isArray(ports) ? ports.filter(isJsonObject) : [];
  return editAt(wanted, ['spec', 'ports', every], (port) => {
    if (!isJsonObject(port) || port['nodePort'] !== undefined) return port;
    const nodePort = there.find((one) => portKey(one) === portKey(port))?.['nodePort'];
    return nodePort === undefined ? port : { ...port, nodePort };
  });
}

function portKey({ port, protocol = 'TCP' }: JsonObject): string {
  return JSON.stringify([port, protocol]);
}

/** A port was chosen when it is in the configuration that somebody applied, by kubectl or on the server. */
function chosenNodePorts(service: KubernetesObject, context: RuleContext): (port: JsonObject) => boolean {
  const applied = lastAppliedSpec(service)?.['ports'];
  const byKubectl = new Set(
    (Array.isArray(applied) ? applied : [])
      .filter(isJsonObject)
      .filter((port) => port['nodePort'] !== undefined && port['nodePort'] !== 0)
      .map(portKey),
  );
  const byFields = new Set<string>();
  for (const fields of managedSpecs(context)) {
    for (const [key, owned] of Object.entries(isJsonObject(fields['f:ports']) ? fields['f:ports'] : {})) {
      const named = key.startsWith('k:') ? parsed(key.slice(2)) : undefined;
      if (isJsonObject(owned) && Object.hasOwn(owned, 'f:nodePort') && isJsonObject(named))
        byFields.add(portKey(named));
    }
  }
  return (port) => byKubectl.has(portKey(port)) || byFields.has(portKey(port));
}

function isApplied(service: KubernetesObject, context: RuleContext, field: string): boolean {
  const value = lastAppliedSpec(service)?.[field];
  return (
    (value !== undefined && value !== 0) ||
    managedSpecs(context).some((fields) => Object.hasOwn(fields, `f:${field}`))
  );
}

/** What each manager owns of `spec`. */
function managedSpecs({ dropped }: RuleContext): JsonObject[] {
  const entries = dropped.metadata['managedFields'];
  return (Array.isArray(entries) ? entries : []).filter(isJsonObject).flatMap(({ fieldsV1 }) => {
    const spec = isJsonObject(fieldsV1) ? fieldsV1['f:spec'] : undefined;
    return isJsonObject(spec) ? [spec] : [];
  });
}

function lastAppliedSpec(service: KubernetesObject): JsonObject | undefined {
  const applied = parsed(service.metadata.annotations?.[lastApplied]);
  const spec = isJsonObject(applied) ? applied['spec'] : undefined;
  return isJsonObject(spec) ? spec : undefined;
}

function parsed(text: string | undefined): Json | undefined {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}
