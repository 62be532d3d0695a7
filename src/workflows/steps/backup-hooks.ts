import type { HookOutcome } from '../../contracts/backup.ts';
import type { BackupHook } from '../../contracts/backup-policy.ts';
import type { Target } from '../../contracts/target.ts';
import { hook as hookTimes } from '../activity-options.ts';
import { explain, failure } from '../run/failures.ts';
import type { Run } from '../run/run.ts';

/** The hooks of one backup. */
export interface Hooks {
  /** What became of each so far. */
  outcomes: HookOutcome[];
  /** Runs those that follow the last object; once. */
  after(): Promise<void>;
}

/**
 * Runs the hooks before, and sees to it that those after run, too, when the backup fails on its way: what a hook has
 * stopped must not stay stopped.
 */
export async function runHooks(
  run: Run,
  target: Target,
  steps: { before: string; after: string },
): Promise<Hooks> {
  const { before = [], after = [] } = target.profile.backup?.hooks ?? {};
  const outcomes: HookOutcome[] = [];
  if (after.length > 0)
    run.onFailure(steps.after, async () => {
      await runEach(target, 'after', after, outcomes);
      return { note: inWords(outcomes, 'after'), drift: [] };
    });
  await run.step(
    steps.before,
    () => runEach(target, 'before', before, outcomes),
    () => inWords(outcomes, 'before'),
  );
  return {
    outcomes,
    async after() {
      await run.step(
        steps.after,
        () => runEach(target, 'after', after, outcomes),
        () => inWords(outcomes, 'after'),
      );
      run.forgetUndos();
    },
  };
}

async function runEach(
  target: Target,
  when: HookOutcome['when'],
  hooks: readonly BackupHook[],
  outcomes: HookOutcome[],
): Promise<void> {
  for (const hook of hooks) {
    const outcome = await runOne(target, when, hook);
    outcomes.push(outcome);
    if (!outcome.ok && hook.onError === 'fail')
      throw failure('HookFailed', `hook ${hook.name} ${when} the backup: ${outcome.outcome}`);
  }
}

/** An API server that stays away counts as a hook that could not be run. */
async function runOne(target: Target, when: HookOutcome['when'], hook: BackupHook): Promise<HookOutcome> {
  try {
    return await hookTimes(`Hook ${hook.name}`).runBackupHook({ target, hook, when });
  } catch (error) {
    const { type, message } = explain(error);
    if (type !== 'Unavailable' && type !== 'NotFound') throw error;
    return { name: hook.name, when, ok: false, outcome: message };
  }
}

function inWords(outcomes: readonly HookOutcome[], when: HookOutcome['when']): string {
  const own = outcomes.filter((outcome) => outcome.when === when);
  if (own.length === 0) return 'none';
  return own.map(({ name, outcome }) => `${name}: ${outcome}`).join('; ');
}
