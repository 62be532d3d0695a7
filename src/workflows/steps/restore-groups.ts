import type { GroupOutcome, PlannedGroup, RecoveryPlan } from '../../contracts/recovery.ts';
import { addOutcomes, sayOutcome } from '../../domain/recovery/describe.ts';
import { restoreOrder, type Wait } from '../../domain/recovery/order.ts';
import { restoring, watch } from '../activity-options.ts';
import type { Run } from '../run/run.ts';
import { counted } from '../../domain/text.ts';

/** Restores one group of the order after the other, and waits between them for what the next one needs. */
export async function restoreGroups(run: Run, step: string, plan: RecoveryPlan): Promise<GroupOutcome> {
  const outcomes: GroupOutcome[] = [];
  for (const group of plan.groups)
    outcomes.push(
      await run.step(
        step,
        () => restoreOne(run, step, plan, group),
        (outcome) => `${group.name}: ${sayOutcome(outcome)}${outcome.waited}`,
      ),
    );
  if (plan.ties > 0)
    outcomes.push(
      await run.step(
        step,
        () =>
          restoring('Name the owners of objects that came first').tieOwners({
            ...of(plan),
            holder: run.holder,
          }),
        (outcome) => `owners of ${counted(plan.ties, 'object')}: ${sayOutcome(outcome)}`,
      ),
    );
  return addOutcomes(outcomes);
}

async function restoreOne(
  run: Run,
  step: string,
  plan: RecoveryPlan,
  { position, name, writes }: PlannedGroup,
): Promise<GroupOutcome & { waited: string }> {
  const { before, after } = restoreOrder[position] ?? {};
  const first = await waitFor(plan, position, before);
  const outcome = await restoring(`Restore ${writes} of ${name}`).restoreGroup({
    ...of(plan),
    position,
    skip: first.missing,
    firstRunId: run.ref.firstRunId,
    marker: run.marker(step),
    holder: run.holder,
  });
  const last = await waitFor(plan, position, after);
  return { ...outcome, waited: `${first.sentence}${last.sentence}` };
}

async function waitFor(
  plan: RecoveryPlan,
  position: number,
  wait: Wait | undefined,
): Promise<{ sentence: string; missing: string[] }> {
  if (wait === undefined) return { sentence: '', missing: [] };
  const words = {
    established: 'established',
    active: 'active',
    bound: 'bound',
    backendsReady: 'answered for',
  };
  const { sentence, missing } = await watch(`Wait until they are ${words[wait]}`).awaitGroup({
    ...of(plan),
    wait,
    position,
  });
  return { sentence: `; ${words[wait]}: ${sentence}`, missing: missing.map(({ name }) => name) };
}

function of({
  target,
  backup,
  options,
  stored,
}: RecoveryPlan): Pick<RecoveryPlan, 'target' | 'backup' | 'options' | 'stored'> {
  return { target, backup, options, stored };
}
