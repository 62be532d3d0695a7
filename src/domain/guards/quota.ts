import type { KubernetesObject } from '../../contracts/kubernetes.ts';
import type { GuardFinding } from '../../contracts/plan.ts';
import { surge, type Container, type Deployment, type PodSpec } from '../deployment.ts';
import { formatQuantity, parseQuantity } from '../quantity.ts';

/** A ResourceQuota as the API server reports it. */
export interface ResourceQuota extends KubernetesObject {
  spec?: { scopes?: string[]; scopeSelector?: unknown };
  status?: { hard?: Record<string, unknown>; used?: Record<string, unknown> };
}

/** A LimitRange; its container defaults fill in what a container leaves out. */
export interface LimitRange extends KubernetesObject {
  spec?: {
    limits?: { type?: string; default?: Record<string, unknown>; defaultRequest?: Record<string, unknown> }[];
  };
}

/** Stops when a quota cannot hold the pods that the rollout needs on top of those that run. */
export function checkQuota(
  deployment: Deployment,
  podSpec: PodSpec,
  quotas: ResourceQuota[],
  limitRanges: LimitRange[],
): GuardFinding {
  const extra = surge(deployment);
  if (quotas.length === 0) return clear('the namespace has no resource quota');
  if (extra === undefined) return unknown('maxSurge is neither a number nor a percentage');
  if (extra === 0) return clear('the rollout starts no pod beyond those that run');
  const findings = quotas.map((quota) => checkOne(quota, podSpec, extra, limitRanges));
  return (
    findings.find((finding) => finding.verdict === 'stops') ??
    findings.find((finding) => finding.verdict === 'unknown') ??
    clear(`the quota holds ${extra} more pod${extra === 1 ? '' : 's'}`)
  );
}

function checkOne(
  quota: ResourceQuota,
  podSpec: PodSpec,
  extra: number,
  limitRanges: LimitRange[],
): GuardFinding {
  const name = quota.metadata.name;
  const applies = appliesTo(quota, podSpec, limitRanges);
  if (applies === undefined) return unknown(`quota ${name} has scopes that this guard cannot evaluate`);
  if (!applies) return clear(`quota ${name} does not apply to these pods`);
  const hard = quota.status?.hard;
  if (hard === undefined) return unknown(`quota ${name} reports no status yet`);
  for (const [resource, hardQuantity] of Object.entries(hard)) {
    const perPod = needPerPod(resource, podSpec, limitRanges);
    if (perPod === 'not counted') continue;
    if (perPod === undefined)
      return unknown(`quota ${name} counts ${resource}, which a container leaves out`);
    const limit = parseQuantity(hardQuantity);
    const usedQuantity = quota.status?.used?.[resource];
    const used = parseQuantity(usedQuantity);
    if (limit === undefined || used === undefined)
      return unknown(`quota ${name} does not say how much ${resource} is in use`);
    const needed = perPod * extra;
    // A tolerance far below any real request: the sums are binary fractions of decimal quantities.
    if (used + needed > limit * (1 + 1e-9)) {
      return {
        guard: 'quota',
        verdict: 'stops',
        sentence: `quota ${name} cannot hold the surge: ${resource} has ${String(usedQuantity)} of ${String(hardQuantity)} in use and ${extra} more pod${extra === 1 ? ' needs' : 's need'} ${formatQuantity(needed)}. Raise the quota or lower maxSurge`,
      };
    }
  }
  return clear(`quota ${name} holds the surge`);
}

/** Amount of `resource` that one pod takes; undefined when a container does not say. */
function needPerPod(
  resource: string,
  podSpec: PodSpec,
  limitRanges: LimitRange[],
): number | 'not counted' | undefined {
  if (resource === 'pods' || resource === 'count/pods') return 1;
  const [side, key] = readResource(resource);
  if (side === undefined) return 'not counted';
  const need = (container: Container): number | undefined => amount(container, side, key, limitRanges);
  // Init containers run one by one, each beside the sidecars that were started before it.
  let sidecars: number | undefined = 0;
  let highest = 0;
  for (const container of podSpec.initContainers ?? []) {
    const beside = add(sidecars, need(container));
    if (beside === undefined) return undefined;
    highest = Math.max(highest, beside);
    if (container.restartPolicy === 'Always') sidecars = beside;
  }
  const running = podSpec.containers.map(need).reduce(add, sidecars);
  return running === undefined ? undefined : Math.max(highest, running);
}

function readResource(resource: string): ['requests' | 'limits' | undefined, string] {
  if (resource === 'cpu' || resource === 'memory' || resource === 'ephemeral-storage')
    return ['requests', resource];
  const match = /^(requests|limits)\.(cpu|memory|ephemeral-storage|hugepages-.*|[^/]+\/.+)$/.exec(resource);
  if (match === null) return [undefined, ''];
  return [match[1] === 'limits' ? 'limits' : 'requests', match[2] ?? ''];
}

/** What a container asks for: its own value, else (as admission does) the limit for a request, else the LimitRange. */
function amount(
  container: Container,
  side: 'requests' | 'limits',
  key: string,
  limitRanges: LimitRange[],
): number | undefined {
  const resources = container.resources;
  const ranges = limitRanges
    .flatMap((range) => range.spec?.limits ?? [])
    .filter((limit) => limit.type === 'Container');
  const defaultLimit = ranges.map((range) => range.default?.[key]).find((value) => value !== undefined);
  const defaultRequest = ranges
    .map((range) => range.defaultRequest?.[key])
    .find((value) => value !== undefined);
  const limit = resources?.limits?.[key] ?? defaultLimit;
  const request = resources?.requests?.[key] ?? resources?.limits?.[key] ?? defaultRequest ?? defaultLimit;
  const value = side === 'limits' ? limit : request;
  // A quota on CPU or memory refuses pods that leave it out; of everything else they then take nothing.
  if (value === undefined && key !== 'cpu' && key !== 'memory') return 0;
  return parseQuantity(value);
}

function add(sum: number | undefined, value: number | undefined): number | undefined {
  return sum === undefined || value === undefined ? undefined : sum + value;
}

/** Whether the quota's scopes cover the pods; undefined when that cannot be said from the template. */
function appliesTo(quota: ResourceQuota, podSpec: PodSpec, limitRanges: LimitRange[]): boolean | undefined {
  if (quota.spec?.scopeSelector !== undefined) return undefined;
  const asksForNothing = (container: Container): boolean =>
    (['cpu', 'memory'] as const).every((key) =>
      (['requests', 'limits'] as const).every(
        (side) => (amount(container, side, key, limitRanges) ?? 0) === 0,
      ),
    );
  const bestEffort = [...podSpec.containers, ...(podSpec.initContainers ?? [])].every(asksForNothing);
  let applies = true;
  for (const scope of quota.spec?.scopes ?? []) {
    if (scope === 'Terminating') applies = false;
    else if (scope === 'BestEffort') applies &&= bestEffort;
    else if (scope === 'NotBestEffort') applies &&= !bestEffort;
    else if (scope !== 'NotTerminating') return undefined;
  }
  return applies;
}

function clear(sentence: string): GuardFinding {
  return { guard: 'quota', verdict: 'clear', sentence };
}

function unknown(sentence: string): GuardFinding {
  return { guard: 'quota', verdict: 'unknown', sentence };
}
