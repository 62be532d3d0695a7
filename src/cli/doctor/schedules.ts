import type { Client } from '@temporalio/client';
import { listTargets } from '../../activities/targets/profiles.ts';
import { createSchedules } from '../../clients/temporal/schedules.ts';
import type { Config } from '../../config.ts';
import type { AppliedSchedule } from '../../contracts/schedules.ts';
import type { TargetProfile } from '../../contracts/target.ts';
import { judgeEnd } from '../../domain/schedules.ts';
import { excerpt } from '../../domain/text.ts';
import { hasTargetAttribute, lookAtSchedules, nameOf, type Seen } from '../schedules/look.ts';
import { newlyMissed } from '../schedules/show.ts';
import { failed, passed, questionSeconds, unknown, type Finding, type Section } from './finding.ts';
import { connect, hasWorkers, reasonOf } from './temporal.ts';

const apply = 'Run: runbook schedules apply';

/**
 * Whether what profiles schedule is real in Temporal, and runs. Targets without schedules get no line; nor does any,
 * where Temporal does not answer: its own section says that.
 */
export async function checkSchedules(
  config: Config,
  profiles: TargetProfile[],
  only: string | undefined,
): Promise<Section> {
  const { client } = await connect();
  if (client === undefined) return { findings: [], clocks: [] };
  try {
    return { findings: await lookAtEach(client, config, profiles, only), clocks: [] };
  } catch (error) {
    if (profiles.every(({ schedules = {} }) => Object.keys(schedules).length === 0))
      return { findings: [], clocks: [] };
    const mend = 'Let these credentials list and describe schedules, or look at them in the Temporal UI.';
    const found = `cannot be read in Temporal: ${reasonOf(error)}`;
    return { findings: [unknown('schedules', found, mend)], clocks: [] };
  }
}

async function lookAtEach(
  client: Client,
  { taskQueue, targetsFolder }: Config,
  profiles: TargetProfile[],
  only: string | undefined,
): Promise<Finding[]> {
  const [searchAttribute, workers] = await Promise.all([
    hasTargetAttribute(client),
    hasWorkers(client, taskQueue),
  ]);
  const scope = { profiles, taskQueue, target: only, searchAttribute };
  const seen = await lookAtSchedules(createSchedules(client, questionSeconds * 1000), scope);
  // A profile with a fault says nothing about its schedules; that it has one is another line's business.
  const faulty = (await listTargets(targetsFolder)).filter(
    (name) => !profiles.some(({ target }) => target === name),
  );
  const asked = seen.filter(({ owner }) => !faulty.includes(owner.target));
  return asked.flatMap((one) => findingsFor(one, workers ? undefined : taskQueue));
}

/** `silentQueue`: the queue, if nobody polls it. */
function findingsFor(
  { owner, wanted, found, differences }: Seen,
  silentQueue: string | undefined,
): Finding[] {
  const check = `target ${owner.target}, schedule ${owner.schedule}`;
  if (found === undefined) return [failed(check, 'is in the profile, but not in Temporal', apply)];
  if (found === 'foreign')
    return [
      failed(
        check,
        'Temporal has a schedule with its id that was not made by this command for this queue',
        'Delete that one in the Temporal UI, or rename yours; then: runbook schedules apply',
      ),
    ];
  if (wanted === undefined)
    return [failed(check, 'is in Temporal, but in no profile any more', `${apply} (which removes it)`)];
  const settings = differences.map(({ setting }) => setting).join(', ');
  const findings = [
    ...(settings === '' ? [] : [failed(check, `differs from the profile in ${settings}`, apply)]),
    ...pauseOf(check, found, wanted.schedule.paused),
    ...endOf(check, found),
    ...missedBy(check, found),
    ...(silentQueue === undefined
      ? []
      : [
          failed(
            check,
            `no worker polls its queue ${silentQueue}, so its runs wait`,
            'Start one: runbook worker',
          ),
        ]),
  ];
  return findings.length > 0 ? findings : [passed(check, describe(found))];
}

function pauseOf(check: string, { owner, state }: AppliedSchedule, byProfile: boolean): Finding[] {
  if (!state.paused || byProfile) return [];
  const why = excerpt(state.note, 200) || 'no reason given';
  return [failed(check, `is paused: ${why}`, `Run: runbook schedules resume ${nameOf(owner)}`)];
}

function endOf(check: string, { owner, state: { lastRun } }: AppliedSchedule): Finding[] {
  if (lastRun === undefined) return [];
  const { verdict, outcome } = judgeEnd(lastRun);
  const again = `then: runbook schedules trigger ${nameOf(owner)}`;
  switch (verdict) {
    case 'ok':
      return [];
    case 'failed': {
      const when = lastRun.endedAt === undefined ? '' : ` at ${lastRun.endedAt}`;
      const look = `Look at it: runbook show '${excerpt(lastRun.workflowId, 200)}'`;
      return [failed(check, `its last run ended ${outcome}${when}`, `${look}; ${again}`)];
    }
    case 'unknown':
      return [
        unknown(
          check,
          `how its last run ended is not known: ${outcome}`,
          `Outcomes are search attributes: runbook setup; ${again}`,
        ),
      ];
  }
}

function missedBy(check: string, found: AppliedSchedule): Finding[] {
  const missed = newlyMissed(found);
  if (missed === 0) return [];
  const runs = missed === 1 ? 'a run was' : `${missed} runs were`;
  const mend = `Find out when Temporal was down; run it now: runbook schedules trigger ${nameOf(found.owner)}; then: runbook schedules apply --forget-missed`;
  return [
    failed(check, `${runs} missed since ${found.state.createdAt}, beyond what Temporal catches up`, mend),
  ];
}

function describe({ state: { paused, nextRun, lastRun, running } }: AppliedSchedule): string {
  const next = paused ? 'paused, as the profile says' : `runs next at ${nextRun ?? 'no time'}`;
  const goesOn = running.length === 0 ? '' : '; a run goes on';
  if (lastRun === undefined) return `${next}${goesOn}; none of its runs has ended yet`;
  return `${next}${goesOn}; its last run ended ${judgeEnd(lastRun).outcome} at ${lastRun.endedAt ?? 'an unknown time'}`;
}
