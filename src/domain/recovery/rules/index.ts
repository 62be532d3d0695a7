import type { KubernetesObject } from '../../../contracts/kubernetes.ts';
import { changeAnnotation } from '../../../contracts/names.ts';
import { drillRules } from '../drill-rules.ts';
import { putAt } from '../edit.ts';
import { kindKey } from '../kinds.ts';
import { addressRules } from './addresses.ts';
import { apiServiceRules } from './api-service.ts';
import { configMapRules } from './config-map.ts';
import { customResourceDefinitionRules } from './custom-resource-definition.ts';
import { genericRules } from './generic.ts';
import { horizontalPodAutoscalerRules } from './horizontal-pod-autoscaler.ts';
import { ingressRules } from './ingress.ts';
import { cronJobRules, jobRules } from './job.ts';
import { namespaceRules } from './namespace.ts';
import { ownedRules } from './owned.ts';
import { persistentVolumeClaimRules } from './persistent-volume-claim.ts';
import { persistentVolumeRules } from './persistent-volume.ts';
import { podRules } from './pod.ts';
import { roleRules } from './role.ts';
import type { KindRules, Rule, RuleContext } from './rule.ts';
import { secretRules } from './secret.ts';
import { serviceAccountRules } from './service-account.ts';
import { serviceRules } from './service.ts';
import { webhookConfigurationRules } from './webhook-configuration.ts';
import { workloadRules } from './workload.ts';

export type { RuleContext };

/**
 * Every rule, those of one kind before the general ones: a rule may still see the owner references and the former
 * annotations that the general ones take away. What no rule names is restored as it is.
 */
export const restoreRules: readonly KindRules[] = [
  ownedRules,
  customResourceDefinitionRules,
  namespaceRules,
  persistentVolumeRules,
  roleRules,
  serviceAccountRules,
  secretRules,
  configMapRules,
  persistentVolumeClaimRules,
  addressRules,
  serviceRules,
  podRules,
  workloadRules,
  jobRules,
  cronJobRules,
  horizontalPodAutoscalerRules,
  ingressRules,
  webhookConfigurationRules,
  apiServiceRules,
  genericRules,
];

/** An object as it is written, or why it is not. */
export type Prepared = { object: KubernetesObject } | { leftOut: string };

/** Applies every rule of its kind to an object of a backup. Its namespace and its references are not touched. */
export function prepare(object: KubernetesObject, context: RuleContext): Prepared {
  const rules = rulesFor(object);
  const reason = rules.find(({ leavesOut }) => leavesOut?.(object, context) === true);
  if (reason !== undefined) return { leftOut: `${reason.about}: ${reason.because}` };
  return { object: edited(object, rules, context) };
}

/** What an update of `live` writes: `wanted`, and beside it what the rules take from the object that exists. */
export function merged(
  wanted: KubernetesObject,
  live: KubernetesObject,
  context: RuleContext,
): KubernetesObject {
  const rules = rulesFor(wanted);
  const joined = rules.reduce((result, { merge }) => merge?.(result, live, context) ?? result, wanted);
  return withControllersNotes(joined, live, edited(live, rules, context));
}

/** Annotations that rules drop belong to controllers: of an object that exists they stay as they are. */
function withControllersNotes(
  wanted: KubernetesObject,
  live: KubernetesObject,
  liveEdited: KubernetesObject,
): KubernetesObject {
  const others = liveEdited.metadata.annotations ?? {};
  const notes = Object.entries(live.metadata.annotations ?? {}).filter(
    ([name]) => name !== changeAnnotation && !Object.hasOwn(others, name),
  );
  if (notes.length === 0) return wanted;
  const annotations = Object.entries(wanted.metadata.annotations ?? {});
  return putAt(wanted, ['metadata', 'annotations'], Object.fromEntries([...annotations, ...notes]));
}

function edited(object: KubernetesObject, rules: readonly Rule[], context: RuleContext): KubernetesObject {
  return rules.reduce((result, { edit }) => edit?.(result, context) ?? result, object);
}

const known = new Map<string, Rule[]>();

/** Kept by kind: a backup has thousands of objects of few kinds. */
function rulesFor(object: KubernetesObject): Rule[] {
  const kind = kindKey(object);
  const rules =
    known.get(kind) ??
    [...drillRules, ...restoreRules].flatMap((one) =>
      one.kinds === undefined || one.kinds.includes(kind) ? one.rules : [],
    );
  known.set(kind, rules);
  return rules;
}
