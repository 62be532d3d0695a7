import { z } from 'zod';
import { besideFaults } from './beside-faults.ts';
import { dnsLabel, objectName } from './kubernetes-names.ts';
import { imageReference, requestBase } from './request.ts';

/** Input of `rollingUpdate`. `image` means the profile's container; `images` names containers. */
export const rollingUpdateRequestSchema = z
  .strictObject({
    ...requestBase,
    workload: objectName.optional().describe('Workload of the profile; without it the default one.'),
    image: imageReference.optional().describe('New image of the default container.'),
    images: z.record(dnsLabel, imageReference).optional().describe('New image per container.'),
  })
  .superRefine(({ image, images }, context) => {
    if (image === undefined && Object.keys(images ?? {}).length === 0) {
      context.addIssue({
        code: 'custom',
        path: ['image'],
        message: 'is missing: there is no safe default for the image to roll out',
      });
    }
    if (image !== undefined && images !== undefined) {
      context.addIssue({ code: 'custom', path: ['images'], message: 'give image or images, not both' });
    }
  }, besideFaults('images'));

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
  lock: 'Take the lock',
  recheck: 'Check again',
  change: 'Change the image',
  watch: 'Watch the rollout',
  verify: 'Verify health',
  undo: 'Put the former state back',
} as const;
