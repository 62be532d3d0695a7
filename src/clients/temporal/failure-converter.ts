import { DefaultFailureConverter, type ProtoFailure } from '@temporalio/common';

/**
 * Failures as they are stored in histories: sentences and types, without stacks. A stack would show file paths to
 * people who read the Temporal UI and tell them nothing; workers log it instead.
 */
class FailureConverterWithoutStacks extends DefaultFailureConverter {
  override errorToFailure(...given: Parameters<DefaultFailureConverter['errorToFailure']>): ProtoFailure {
    return withoutStacks(super.errorToFailure(...given));
  }
}

function withoutStacks(failure: ProtoFailure): ProtoFailure {
  return {
    ...failure,
    stackTrace: '',
    ...(failure.cause ? { cause: withoutStacks(failure.cause) } : {}),
  };
}

/** Loaded by path, in the worker and in the workflow sandbox; Temporal looks for this name. */
export const failureConverter = new FailureConverterWithoutStacks();
