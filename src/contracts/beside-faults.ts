import type { z } from 'zod';

/**
 * Lets a refinement run although other fields have faults, so that one message names them all. It is skipped
 * only when a field that it reads has a fault itself.
 */
export function besideFaults(...fields: string[]): z.core.$ZodSuperRefineParams {
  return {
    when: ({ value, issues }) =>
      typeof value === 'object' &&
      value !== null &&
      !Array.isArray(value) &&
      !issues.some((issue) => fields.includes(String(issue.path?.[0]))),
  };
}
