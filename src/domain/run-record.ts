import type { Plan } from '../contracts/plan.ts';
import type { RunRecord } from '../contracts/run.ts';
import type { Target } from '../contracts/target.ts';
import { isAboutService } from './proofs.ts';
import { headline } from './report.ts';

/** Everything a run knows when it ends. */
export interface EndedRun extends Omit<
  RunRecord,
  'headline' | 'target' | 'profileDigest' | 'request' | 'requestedBy' | 'reason' | 'plan' | 'error'
> {
  /** What was done, in a few words. */
  what: string;
  /** Undefined when nothing was wrong. */
  error: string | undefined;
  /** One of the catalogue of failures. */
  errorType: string | undefined;
  /** What was changed and proven before the run ended early. */
  kept: string[];
  /** What was written and stays, proven or not; undefined when there is nothing of the sort. */
  left: { what: string; about: 'service' | 'backup' } | undefined;
  /** What people have to do later. */
  followUps: string[];
  target: Target | undefined;
  request: { requestedBy?: string | undefined; reason?: string | undefined } | undefined;
  plan: Plan | undefined;
}

/** What stays of a run. */
export function recordOf(end: EndedRun): RunRecord {
  const { run, outcome, what, error, errorType, kept, left, followUps, target, request, plan, ...rest } = end;
  return {
    // The headline stands at the top: the Temporal UI shows the beginning of a long result.
    run,
    outcome,
    headline: headline({
      outcome,
      what,
      target: target?.profile.target,
      proofs: end.proofs,
      error,
      errorType,
      changed: [...end.proofs, ...end.undo, ...(left === undefined ? [] : [left])].some(isAboutService),
      drift: end.undo.flatMap((undo) => undo.drift),
      kept,
      left: left?.what,
      followUps,
      breakGlass: end.breakGlass,
    }),
    ...(target === undefined ? {} : { target: target.profile.target, profileDigest: target.digest }),
    ...(request === undefined ? {} : { request }),
    ...(request?.requestedBy === undefined ? {} : { requestedBy: request.requestedBy }),
    ...(request?.reason === undefined ? {} : { reason: request.reason }),
    ...rest,
    ...(plan === undefined ? {} : { plan: shown(plan) }),
    ...(error === undefined ? {} : { error }),
  };
}

function shown({ hash, changes, summary, findings }: Plan): NonNullable<RunRecord['plan']> {
  return { hash, changes, summary, findings };
}
