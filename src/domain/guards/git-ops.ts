import type { KubernetesObject } from '../../contracts/kubernetes.ts';
import type { GuardFinding } from '../../contracts/plan.ts';
import { excerpt } from '../text.ts';

/** Who would revert a change by hand, and where the change belongs instead. */
interface Owner {
  controller: string;
  evidence: string;
  instead: string;
}

const ownerMarks: { controller: string; where: 'labels' | 'annotations'; key: string; instead: string }[] = [
  {
    controller: 'Argo CD',
    where: 'annotations',
    key: 'argocd.argoproj.io/tracking-id',
    instead: 'the repository of that Argo CD Application',
  },
  {
    controller: 'Argo CD',
    where: 'labels',
    key: 'argocd.argoproj.io/instance',
    instead: 'the repository of that Argo CD Application',
  },
  {
    controller: 'Flux',
    where: 'labels',
    key: 'kustomize.toolkit.fluxcd.io/name',
    instead: 'the repository of that Flux Kustomization',
  },
  {
    controller: 'Flux',
    where: 'labels',
    key: 'helm.toolkit.fluxcd.io/name',
    instead: 'the values of that Flux HelmRelease',
  },
  {
    controller: 'Helm',
    where: 'annotations',
    key: 'meta.helm.sh/release-name',
    instead: 'the values of that Helm release',
  },
];

const ownerManagers: Record<string, { controller: string; instead: string }> = {
  'argocd-controller': { controller: 'Argo CD', instead: 'the repository of the Argo CD Application' },
  'argocd-application-controller': {
    controller: 'Argo CD',
    instead: 'the repository of the Argo CD Application',
  },
  'kustomize-controller': { controller: 'Flux', instead: 'the repository of the Flux Kustomization' },
  'helm-controller': { controller: 'Flux', instead: 'the values of the Flux HelmRelease' },
  helm: { controller: 'Helm', instead: 'the values of the Helm release' },
};

/** Stops when a GitOps controller owns the object: it would revert the change. `ignore` is the profile's choice. */
export function checkGitOps(object: KubernetesObject, policy: 'stop' | 'ignore'): GuardFinding {
  const owner = findOwner(object);
  const name = `${object.kind} ${object.metadata.name}`;
  if (owner === undefined)
    return { guard: 'gitOps', verdict: 'clear', sentence: `no GitOps controller owns ${name}` };
  const found = `${name} belongs to ${owner.controller} (${owner.evidence})`;
  if (policy === 'ignore')
    return { guard: 'gitOps', verdict: 'clear', sentence: `${found}; the profile says gitOps: ignore` };
  return {
    guard: 'gitOps',
    verdict: 'stops',
    sentence: `${found}, which would revert the change. Change it in ${owner.instead}, or set gitOps: ignore in the profile`,
  };
}

/** Who would put an object back by itself, in words; Helm alone waits for its next upgrade. */
export function reconcilerOf(object: KubernetesObject): string | undefined {
  const owner = findOwner(object);
  if (owner === undefined || owner.controller === 'Helm') return undefined;
  return `it belongs to ${owner.controller} (${owner.evidence}), which would revert that: change it in ${owner.instead}, or set gitOps: ignore in the profile`;
}

function findOwner(object: KubernetesObject): Owner | undefined {
  for (const mark of ownerMarks) {
    const value = object.metadata[mark.where]?.[mark.key];
    if (value !== undefined)
      return {
        controller: mark.controller,
        evidence: `${mark.key}: ${excerpt(value, 80)}`,
        instead: mark.instead,
      };
  }
  for (const entry of object.metadata.managedFields ?? []) {
    const owner = Object.hasOwn(ownerManagers, entry.manager ?? '')
      ? ownerManagers[entry.manager ?? '']
      : undefined;
    if (owner !== undefined) return { ...owner, evidence: `field manager ${entry.manager ?? ''}` };
  }
  return undefined;
}
