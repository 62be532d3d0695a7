import { z } from 'zod';
import { imageReference, requestBase } from './request.ts';

/** Input of `rollingUpdate`. `image` means the profile's container; `images` names containers. */
export const rollingUpdateRequestSchema = z
  .strictObject({
    ...requestBase,
    workload: z
      .string()
      .min(1)
      .max(253)
      .optional()
      .describe('Workload of the profile; without it the default one.'),
    image: imageReference.optional().describe('New image of the default container.'),
    images: z
      .record(z.string().min(1).max(63), imageReference)
      .optional()
      .describe('New image per container.'),
  })
  .superRefine((request, context) => {
    if (request.image === undefined && Object.keys(request.images ?? {}).length === 0) {
      context.addIssue({
        code: 'custom',
        path: ['image'],
        message: 'is missing: there is no safe default for the image to roll out',
      });
    }
    if (request.image !== undefined && request.images !== undefined) {
      context.addIssue({ code: 'custom', path: ['images'], message: 'give image or images, not both' });
    }
  });

export type RollingUpdateRequest = z.infer<typeof rollingUpdateRequestSchema>;

/** An input that works, shown beside every refusal. */
export const rollingUpdateExample: RollingUpdateRequest = {
  image: 'ghcr.io/acedergren/alecs-mcp-server-akamai:1.7.5',
};

/** The headings of the page, in its order; the same words in code, query, UI and report. */
export const rollingUpdateSteps = {
  check: 'Check the request',
  plan: 'Plan the change',
  approve: 'Approve the change',
  recheck: 'Check again',
  change: 'Change the image',
  watch: 'Watch the rollout',
  verify: 'Verify health',
  undo: 'Put the former state back',
} as const;
