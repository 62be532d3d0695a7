import { workflowInfo } from '@temporalio/workflow';
import { procedures } from '../../contracts/procedures.ts';
import { excerpt } from '../../domain/text.ts';
import { failure } from './failures.ts';

/** Runs for every workflow type that does not exist, so that a typo ends at once instead of hanging the run. */
export function unknownProcedure(): Promise<never> {
  const known = procedures.map((procedure) => procedure.workflowType).join(', ');
  const typed = excerpt(workflowInfo().workflowType);
  return Promise.reject(
    failure('InvalidRequest', `there is no procedure "${typed}"; known workflow types: ${known}`),
  );
}
