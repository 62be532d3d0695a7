import { createHash } from 'node:crypto';
import type { Client } from '@temporalio/client';
import { listTargets, loadTarget } from '../../activities/targets/profiles.ts';
import type { Schedules } from '../../clients/temporal/schedules.ts';
import { registeredSearchAttributes } from '../../clients/temporal/search-attributes.ts';
import type { Config } from '../../config.ts';
import {
  scheduleId,
  type AppliedSchedule,
  type Schedule,
  type ScheduleOwner,
  type ScheduleSettings,
} from '../../contracts/schedules.ts';
import { searchAttributes } from '../../contracts/search-attributes.ts';
import type { TargetProfile } from '../../contracts/target.ts';
import { canonicalSettings, differencesOf, settingsFor, type Difference } from '../../domain/schedules.ts';
import { UsageError } from '../exit-codes.ts';

/** One schedule of a profile, of Temporal, or of both. */
export interface Seen {
  owner: ScheduleOwner;
  /** As the profile has it; undefined: no profile names it any more. */
  wanted?: { schedule: Schedule; settings: ScheduleSettings };
  /** As Temporal has it; foreign: there is one with its id that is none of ours. */
  found?: AppliedSchedule | 'foreign';
  /** What applying the profile would change. */
  differences: Difference[];
}

/** What to look at. */
export interface Scope {
  profiles: TargetProfile[];
  taskQueue: string;
  /** Only this target. */
  target: string | undefined;
  searchAttribute: boolean;
}

/** The profiles of the folder, or only one. @throws UsageError where there is none: everything would look removed */
export async function readProfiles(
  { targetsFolder }: Config,
  target: string | undefined,
): Promise<TargetProfile[]> {
  const known = [...new Set(await listTargets(targetsFolder))];
  if (known.length === 0) throw new UsageError(`there is no target profile in ${targetsFolder}`);
  if (target !== undefined && !known.includes(target))
    throw new UsageError(`there is no target "${target}"; known targets: ${known.join(', ')}`);
  const names = target === undefined ? known : [target];
  return await Promise.all(
    names.map(async (name) => (await loadTarget(targetsFolder, name, undefined)).profile),
  );
}

/** Whether schedules may carry the target as a search attribute; an unregistered one would stop their runs. */
export async function hasTargetAttribute(client: Client): Promise<boolean> {
  return (await registeredSearchAttributes(client)).includes(searchAttributes.target.name);
}

/**
 * Puts beside each other what profiles say and what Temporal has. What no profile names any more is ours only where
 * its memo says so, with the same task queue: another installation may share the namespace.
 */
export async function lookAtSchedules(schedules: Schedules, scope: Scope): Promise<Seen[]> {
  const { taskQueue, target } = scope;
  const wanted = scope.profiles.flatMap((profile) =>
    Object.entries(profile.schedules ?? {}).map(([name, schedule]) => {
      const owner = { target: profile.target, schedule: name, taskQueue };
      const settings = settingsFor(owner, schedule, scope.searchAttribute);
      return { owner, wanted: { schedule, settings } };
    }),
  );
  const ids = wanted.map(({ owner }) => scheduleId(owner));
  const others = (await schedules.owned())
    .filter((owner) => owner.taskQueue === taskQueue && (target ?? owner.target) === owner.target)
    .filter((owner) => !ids.includes(scheduleId(owner)))
    .map((owner) => ({ owner }));
  const seen = await Promise.all([...wanted, ...others].map((one) => lookAtOne(schedules, one)));
  return seen
    .filter((one) => one.wanted !== undefined || typeof one.found === 'object')
    .sort((a, b) => (scheduleId(a.owner) < scheduleId(b.owner) ? -1 : 1));
}

async function lookAtOne(schedules: Schedules, one: Pick<Seen, 'owner' | 'wanted'>): Promise<Seen> {
  const looked = await schedules.read(one.owner);
  switch (looked.found) {
    case 'nothing':
      return { ...one, differences: [] };
    case 'foreign':
      return { ...one, found: 'foreign', differences: [] };
    case 'ours': {
      const { schedule } = looked;
      const differences =
        one.wanted === undefined ? [] : differencesOf(schedule.settings, one.wanted.settings);
      return { ...one, found: schedule, differences };
    }
  }
}

/** SHA-256 of the settings of a schedule, hexadecimal. */
export function digestOf(settings: ScheduleSettings): string {
  return createHash('sha256').update(canonicalSettings(settings)).digest('hex');
}

/** Whether somebody changed it in Temporal since it was applied. */
export function wasEdited({ mark, settings }: AppliedSchedule): boolean {
  return mark?.digest !== digestOf(settings);
}

/** How people call a schedule. */
export function nameOf({ target, schedule }: Pick<ScheduleOwner, 'target' | 'schedule'>): string {
  return `${target}/${schedule}`;
}
