import type { z } from 'zod';
import type { Target } from '../../contracts/target.ts';
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

/** What is asked: the input as it was typed, and what it has to be. */
interface Asked<T> {
  schema: z.ZodType<T>;
  input: unknown;
  example: T;
}

/** The typed input, and the profile of its target as it is now. */
interface Checked<T> {
  request: T;
  target: Target;
}

/**
 * Reads the typed input, then the target profile, then how the target's lock stands. Every fault of the input or the
 * profile ends the run in one sentence. When a run died in the middle of a change, people are asked about that first.
 */
export async function checkRequest<T extends CommonRequest>(
  run: Run,
  step: string,
  asked: Asked<T>,
): Promise<T> {
  const { request, target, view } = await run.step(step, async () => {
    const checked = await readInput(run, asked);
    const root = rootRun();
    const lock = await read("Look at the target's lock").lookAtLock({
      target: checked.target,
      me: run.ref,
      ...(root === undefined ? {} : { root }),
    });
    run.sawLock(lock);
    return { ...checked, view: lock };
  });
  if (view.leftover !== undefined && request.dryRun !== true)
    await settleLeftover(run, target, view.leftover);
  return request;
}

/** The same for a procedure that changes nothing in the cluster: it takes no lock, and nobody is asked anything. */
export async function checkReadingRequest<T extends CommonRequest>(
  run: Run,
  step: string,
  asked: Asked<T>,
): Promise<Checked<T>> {
  return await run.step(step, () => readInput(run, asked));
}

async function readInput<T extends CommonRequest>(
  run: Run,
  { schema, input, example }: Asked<T>,
): Promise<Checked<T>> {
  if (run.hasSecondInput)
    throw failure(
      'InvalidRequest',
      `${run.ref.procedure}: takes one input, and more were given; put everything into one JSON object`,
    );
  const checked = readRequest(run.ref.procedure, schema, input, example);
  if (!checked.ok) throw failure('InvalidRequest', checked.message);
  const { request } = checked;
  const asked = request.target === undefined ? {} : { target: request.target };
  const found = await read('Read the target profile').resolveTarget(asked);
  run.about({ ...found, request });
  return { request, target: found.target };
}
