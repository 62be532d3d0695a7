import { z } from 'zod';
import { dnsLabel } from './kubernetes-names.ts';

const oneLine = (most: number) =>
  z
    .string()
    .min(1)
    .max(most)
    .regex(/^[^\p{Cc}\p{Cs}\p{Zl}\p{Zp}]*$/u, 'must be one line without control characters');

/** Fields that every procedure's input has. */
export const requestBase = {
  target: dnsLabel.optional().describe('Name of the target profile; without it the default target.'),
  dryRun: z.boolean().optional().describe('true: plan only, change nothing.'),
  reason: oneLine(200).optional().describe('Why; goes into the report.'),
  requestedBy: oneLine(100)
    .optional()
    .describe('Who asks for it; goes into the report. Without it one approver more may be needed.'),
  breakGlass: oneLine(200)
    .optional()
    .describe(
      'Why guards may be overridden. Someone with a break-glass role of the profile has to approve; everyone is told.',
    ),
};

const domain =
  '(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*(?::[0-9]{1,5})?/)?';
const path = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*';
const image = new RegExp(
  `^${domain}${path}(?:/${path})*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[a-f0-9]{64})?$`,
);

/** An OCI image reference with a tag, a digest, or both. Without either it would silently mean `latest`. */
export const imageReference = z
  .string()
  .max(512, { abort: true })
  .refine(
    (value) => image.test(value),
    'is not an image reference such as registry.example/name:1.2.3 or registry.example/name@sha256:…',
  )
  .refine(
    (value) => !image.test(value) || /:[^/]+$|@/.test(value),
    'names neither a tag nor a digest; add one, for example :1.2.3',
  );
