import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';

/** Every search attribute, once. They are stored in clear, so they carry names only. The worker registers them. */
export const searchAttributes = {
  target: defineSearchAttributeKey('RunbookTarget', SearchAttributeType.KEYWORD),
  step: defineSearchAttributeKey('RunbookStep', SearchAttributeType.KEYWORD),
  outcome: defineSearchAttributeKey('RunbookOutcome', SearchAttributeType.KEYWORD),
};
