import type { Json } from '../../../contracts/json.ts';
import type { KubernetesObject } from '../../../contracts/kubernetes.ts';
import { storedForm } from '../../backups/stored-form.ts';
import { differences, equalJson, type Difference } from '../../plan/paths.ts';
import { withoutServerFields } from './generic.ts';
import { merged, prepare, type RuleContext } from './index.ts';

/**
 * Whether a live object is as it is wanted: as the rules leave it, or as an update would leave it. Both are needed: the
 * first alone would miss lists that an update joins, the second what rules take away from both.
 */
export function isAsWanted(wanted: KubernetesObject, live: KubernetesObject, context: RuleContext): boolean {
  const { stored, dropped } = storedForm(live, { statusIsData: hasStatus(wanted) });
  const prepared = prepare(stored, { ...context, dropped: { metadata: dropped.metadata } });
  if ('object' in prepared && equalJson(asJson(prepared.object), asJson(wanted))) return true;
  return beyondUpdate(wanted, live, context).length === 0;
}

/** What an update would change of a live object. */
export function beyondUpdate(
  wanted: KubernetesObject,
  live: KubernetesObject,
  context: RuleContext,
): Difference[] {
  const data = hasStatus(wanted);
  return differences(
    asJson(withoutServerFields(merged(wanted, live, context), data)),
    asJson(withoutServerFields(live, data)),
  );
}

/** Stored forms have a status only where it is a field like others. */
function hasStatus(wanted: KubernetesObject): boolean {
  return Object.hasOwn(wanted, 'status');
}

function asJson(object: KubernetesObject): Json {
  return object as unknown as Json;
}
