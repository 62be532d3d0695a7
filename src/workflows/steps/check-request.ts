import type { z } from 'zod';
import type { Target } from '../../contracts/target.ts';
import { readRequest } from '../../domain/requests.ts';
import { read } from '../activity-options.ts';
import { failure } from '../run/failures.ts';
import type { Run } from '../run/run.ts';

interface CommonRequest {
  target?: string | undefined;
  requestedBy?: string | undefined;
  reason?: string | undefined;
}

/** Reads the typed input, then the target profile. Every fault of either ends the run in one sentence. */
export async function checkRequest<T extends CommonRequest>(
  run: Run,
  schema: z.ZodType<T>,
  input: unknown,
  example: T,
): Promise<{ request: T; target: Target }> {
  const checked = readRequest(run.ref.procedure, schema, input, example);
  if (!checked.ok) throw failure('InvalidRequest', checked.message);
  const { request } = checked;
  const { target, searchAttributes } = await read('Read the target profile').resolveTarget(
    request.target === undefined ? {} : { target: request.target },
  );
  run.about({ target, request, searchAttributes });
  return { request, target };
}
