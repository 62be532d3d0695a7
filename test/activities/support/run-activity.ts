import { ApplicationFailure } from '@temporalio/activity';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';

/** Runs one activity as a worker would: in a context of its own, input and result as JSON. */
export async function act<I, O>(
  activity: (input: I) => Promise<O>,
  input: I,
  environment = anEnvironment(),
): Promise<O> {
  return asPayload(await environment.run(() => activity(asPayload(input))));
}

/** A context for one activity; failures are the tests' business and not printed. */
export function anEnvironment(): MockActivityEnvironment {
  return new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') });
}

/** What is left of a value after Temporal has carried it. */
function asPayload<T>(value: T): T {
  return value === undefined ? value : (JSON.parse(JSON.stringify(value)) as T);
}

/** The failure of our catalogue that the promise ends with; anything else fails the test. */
export async function failureOf(promise: Promise<unknown>): Promise<ApplicationFailure> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof ApplicationFailure) return error;
    throw error;
  }
  throw new Error('expected a failure, but the activity succeeded');
}

/** Everything that Temporal would store of a failure. */
export function textOf(failure: ApplicationFailure): string {
  return [
    failure.type,
    failure.message,
    failure.stack,
    JSON.stringify(failure.details),
    String(failure.cause),
  ].join('\n');
}
