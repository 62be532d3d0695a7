import type { z } from 'zod';
import { readRequest } from '../../domain/requests.ts';
import { read } from '../activity-options.ts';
import { failure } from '../run/failures.ts';
import type { Run } from '../run/run.ts';
import { rootRun } from '../run/target-lock.ts';
import { settleLeftover } from './settle-leftover.ts';

interface CommonRequest {
  target?: string | undefined;
  requestedBy?: string | undefined;
  reason?: string | undefined;
  dryRun?: boolean | undefined;
  emergency?: boolean | undefined;
}

/**
 * Reads the typed input, then the target profile, then how the target's lock stands. Every fault of the input or the
 * profile ends the run in one sentence. When a run died in the middle of a change, people are asked about that first.
 */
export async function checkRequest<T extends CommonRequest>(
  run: Run,
  step: string,
  { schema, input, example }: { schema: z.ZodType<T>; input: unknown; example: T },
): Promise<T> {
  const { request, target, view } = await run.step(step, async () => {
    const checked = readRequest(run.ref.procedure, schema, input, example);
    if (!checked.ok) throw failure('InvalidRequest', checked.message);
    const found = await read('Read the target profile').resolveTarget(
      checked.request.target === undefined ? {} : { target: checked.request.target },
    );
    run.about({ ...found, request: checked.request });
    const root = rootRun();
    const lock = await read("Look at the target's lock").lookAtLock({
      target: found.target,
      me: run.ref,
      ...(root === undefined ? {} : { root }),
    });
    run.sawLock(lock);
    return { request: checked.request, target: found.target, view: lock };
  });
  if (view.leftover !== undefined && request.dryRun !== true)
    await settleLeftover(run, target, view.leftover);
  return request;
}
