import type { Json } from '../contracts/json.ts';
import type { KubernetesObject, ObjectRef } from '../contracts/kubernetes.ts';
import { objectName } from '../contracts/kubernetes-names.ts';
import type { GitOpsOwner } from '../contracts/owner-pause.ts';
import { excerpt } from './text.ts';

/**
 * How each controller is told to leave something alone, as its own documentation says:
 *
 * - Flux, kustomize-controller: annotation `kustomize.toolkit.fluxcd.io/reconcile: disabled` on the object in the
 *   cluster; removed again, the controller goes on. kustomize-controller, docs/spec/v1/kustomizations.md, "Suspending
 *   and resuming".
 * - Flux, helm-controller: `spec.suspend: true` on the HelmRelease, for the whole release. helm-controller,
 *   docs/spec/v2/helmreleases.md, "Suspend". Every object of a release has the labels `helm.toolkit.fluxcd.io/name`
 *   and `/namespace` (its post renderer for origin labels).
 * - Argo CD: annotation `argocd.argoproj.io/skip-reconcile: "true"` on the Application, for the whole Application; alpha
 *   since 2.7. docs/user-guide/skip_reconcile.md. Which Application: annotation `argocd.argoproj.io/tracking-id`,
 *   `<app>:<group>/<kind>:<namespace>/<name>`, docs/user-guide/resource_tracking.md; or its label. An Application
 *   outside of `argocd` is named `<namespace>_<app>` there; no document says so, which is why {@link managesWorkload}
 *   looks whether the Application really has the workload.
 * - Helm alone has no controller: nothing is reverted until someone runs `helm upgrade`.
 */

/** The edit that pauses: one value on one object. */
export interface PauseEdit {
  /** Undefined: the workload itself. */
  on?: ObjectRef;
  /** Keyed path of the value. */
  path: string;
  value: Json;
  /** How far it reaches, as part of a sentence. */
  reach: string;
}

/** What a workload says about who owns it. */
export type PauseDecision =
  { owner: GitOpsOwner; edit: PauseEdit } | { owner: GitOpsOwner; note: string } | { cannot: string };

const annotations = {
  fluxReconcile: 'kustomize.toolkit.fluxcd.io/reconcile',
  argoSkip: 'argocd.argoproj.io/skip-reconcile',
  argoTracking: 'argocd.argoproj.io/tracking-id',
  helmRelease: 'meta.helm.sh/release-name',
} as const;

const labels = {
  kustomization: 'kustomize.toolkit.fluxcd.io/name',
  helmRelease: 'helm.toolkit.fluxcd.io/name',
  helmReleaseNamespace: 'helm.toolkit.fluxcd.io/namespace',
  argoInstance: 'argocd.argoproj.io/instance',
  instance: 'app.kubernetes.io/instance',
} as const;

/** Where Applications lie unless their name says otherwise. */
const argoNamespace = 'argocd';

/** How to keep whoever owns the workload from reverting a change, from what the live object says. */
export function decidePause(workload: KubernetesObject): PauseDecision {
  const owners = ownersOf(workload);
  const [owner] = owners;
  if (owners.length > 1)
    return { cannot: `${nameOf(workload)} has several owners: ${owners.join(', ')}; pause them by hand` };
  if (owner === undefined) return { owner: 'none', note: `no GitOps controller owns ${nameOf(workload)}` };
  switch (owner) {
    case 'helm':
      return {
        owner,
        note: `Helm owns ${nameOf(workload)}; nothing reverts a change until someone runs helm upgrade`,
      };
    case 'flux-kustomization':
      return {
        owner,
        edit: {
          path: annotationPath(annotations.fluxReconcile),
          value: 'disabled',
          reach: 'Flux leaves this object alone, and nothing else',
        },
      };
    case 'flux-helm':
      return pauseHelmRelease(workload);
    case 'argo-cd':
      return pauseApplication(workload);
  }
}

/**
 * Whether an Application says itself that it has the workload. Its name came from the workload, which people other than
 * its owners may edit: without this, an annotation could pause any Application.
 */
export function managesWorkload(application: KubernetesObject, workload: KubernetesObject): boolean {
  const { status } = application as { status?: { resources?: unknown } };
  if (!Array.isArray(status?.resources)) return false;
  const [group] = workload.apiVersion.includes('/') ? workload.apiVersion.split('/') : [''];
  return (status.resources as unknown[]).some((one) => {
    const resource = (one ?? {}) as Record<string, unknown>;
    return (
      (resource['group'] ?? '') === group &&
      resource['kind'] === workload.kind &&
      resource['namespace'] === workload.metadata.namespace &&
      resource['name'] === workload.metadata.name
    );
  });
}

/** Every controller that marks an object as its own; Helm only when there is no other. */
export function ownersOf({ metadata }: KubernetesObject): Exclude<GitOpsOwner, 'none'>[] {
  const managers = new Set((metadata.managedFields ?? []).map(({ manager }) => manager));
  const has = (key: string): boolean =>
    metadata.labels?.[key] !== undefined || metadata.annotations?.[key] !== undefined;
  const owners: Exclude<GitOpsOwner, 'none'>[] = [];
  if (
    has(annotations.argoTracking) ||
    has(labels.argoInstance) ||
    managers.has('argocd-controller') ||
    managers.has('argocd-application-controller')
  )
    owners.push('argo-cd');
  if (has(labels.kustomization) || managers.has('kustomize-controller')) owners.push('flux-kustomization');
  if (has(labels.helmRelease) || managers.has('helm-controller')) owners.push('flux-helm');
  // Controllers drive Helm, too, or took over what it once made; the marks of Helm count alone.
  const byHelm = has(annotations.helmRelease) || managers.has('helm');
  return byHelm && owners.length === 0 ? ['helm'] : owners;
}

function pauseHelmRelease(workload: KubernetesObject): PauseDecision {
  const name = workload.metadata.labels?.[labels.helmRelease];
  const namespace = workload.metadata.labels?.[labels.helmReleaseNamespace];
  if (!isName(name) || !isName(namespace))
    return {
      cannot: `${nameOf(workload)} belongs to a Flux HelmRelease, but its labels do not say which; find it with: flux get helmreleases --all-namespaces, and suspend it by hand`,
    };
  return {
    owner: 'flux-helm',
    edit: {
      on: { apiVersion: 'helm.toolkit.fluxcd.io/v2', kind: 'HelmRelease', namespace, name },
      path: 'spec/suspend',
      value: true,
      reach: `Flux leaves the whole release ${namespace}/${name} alone, every object of it`,
    },
  };
}

function pauseApplication(workload: KubernetesObject): PauseDecision {
  const application = applicationOf(workload);
  if ('cannot' in application) return application;
  const { namespace, name } = application;
  return {
    owner: 'argo-cd',
    edit: {
      on: { apiVersion: 'argoproj.io/v1alpha1', kind: 'Application', namespace, name },
      path: annotationPath(annotations.argoSkip),
      value: 'true',
      reach: `Argo CD leaves the whole Application ${namespace}/${name} alone, every object of it`,
    },
  };
}

function applicationOf(workload: KubernetesObject): { namespace: string; name: string } | { cannot: string } {
  const { metadata } = workload;
  const tracking = metadata.annotations?.[annotations.argoTracking];
  if (tracking !== undefined && !isAbout(tracking, workload))
    return {
      cannot: `the tracking id of ${nameOf(workload)} is about another object (${excerpt(tracking, 120)}); find the Application that has it in Argo CD, and pause that by hand`,
    };
  const label = metadata.labels?.[labels.argoInstance] ?? metadata.labels?.[labels.instance];
  const instance = tracking === undefined ? label : tracking.slice(0, tracking.indexOf(':'));
  const [first = '', ...rest] = instance?.split('_') ?? [];
  const [namespace, name] = rest.length === 0 ? [argoNamespace, first] : [first, rest.join('_')];
  if (isName(namespace) && isName(name)) return { namespace, name };
  return {
    cannot: `${nameOf(workload)} belongs to Argo CD, but does not say to which Application; find it in Argo CD, and pause it by hand`,
  };
}

/** A tracking id that was copied from elsewhere says nothing about this object; Argo CD ignores it, too. */
function isAbout(tracking: string, { apiVersion, kind, metadata }: KubernetesObject): boolean {
  const group = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';
  return tracking
    .slice(tracking.indexOf(':'))
    .endsWith(`:${group}/${kind}:${metadata.namespace ?? ''}/${metadata.name}`);
}

function isName(text: string | undefined): text is string {
  return objectName.safeParse(text).success;
}

function annotationPath(key: string): string {
  return `metadata/annotations/${key.replaceAll('/', '~1')}`;
}

function nameOf({ kind, metadata }: KubernetesObject): string {
  return `${kind} ${metadata.name}`;
}
