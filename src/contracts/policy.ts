import { z } from 'zod';
import { besideFaults } from './beside-faults.ts';
import { dnsLabel } from './kubernetes-names.ts';

const seconds = (most: number) => z.number().int().min(1).max(most);
const longestGateSeconds = 30 * 86400;

const personName = z
  .string()
  .regex(
    /^[\p{L}\p{N}]([\p{L}\p{N} .@_-]{0,98}[\p{L}\p{N}.])?$/u,
    'must be a name: letters, digits, spaces, dots, dashes, at most 100',
  );

const approver = z
  .strictObject({
    roles: z.array(dnsLabel).min(1).max(20),
    fingerprint: z
      .string()
      .regex(/^[0-9A-F]{40}$/, 'must be the 40 hexadecimal digits of an OpenPGP key, in capitals, no spaces')
      .optional()
      .describe('Of the primary key; needed with identity: signed.'),
    publicKey: z
      .string()
      .max(300)
      .regex(
        /^[A-Za-z0-9][A-Za-z0-9._-]*(\/[A-Za-z0-9][A-Za-z0-9._-]*)*$/,
        'must be a file below the folder of profiles, such as keys/alice.asc',
      )
      .optional()
      .describe('File with the armored public key, beside the profiles; needed with identity: signed.'),
  })
  .describe('A person who may decide.');

/** Who may decide, by the name that they give with a decision. */
export const approversSchema = z.record(personName, approver);

const need = z.strictObject({ role: dnsLabel, count: z.number().int().min(1).max(10).default(1) });

const rule = z.strictObject({
  procedures: z
    .array(z.string().regex(/^[a-z][A-Za-z0-9]{0,99}$/, 'must be a workflow type such as rollingUpdate'))
    .min(1)
    .optional()
    .describe('Only these procedures; without it every one.'),
  risk: z
    .enum(['normal', 'high'])
    .optional()
    .describe(
      'Only plans of this risk; without it any. high: an emergency, an overridden guard, or more than one object at once.',
    ),
  need: z.array(need).min(1).max(10).describe('Approvals of so many different people of these roles.'),
  deadlineSeconds: seconds(longestGateSeconds).optional().describe("Instead of the gate's."),
  reminderSeconds: seconds(longestGateSeconds).optional().describe("Instead of the gate's."),
});

/** How many approvals a plan needs, and how people prove who they are. */
export const approvalsSchema = z
  .strictObject({
    identity: z
      .enum(['declared', 'signed'])
      .default('declared')
      .describe(
        'declared: the name that someone sends is believed, and the report says so. signed: a decision carries an OpenPGP signature.',
      ),
    rules: z
      .array(rule)
      .max(50)
      .default([])
      .describe(
        'The first rule that matches counts. Without one that does, one approver of any role is enough.',
      ),
    breakGlass: z
      .array(dnsLabel)
      .max(20)
      .default([])
      .describe('Roles that may override guards. Without any, nobody can.'),
    notify: z
      .array(dnsLabel)
      .max(20)
      .default(['log'])
      .describe('Channels that hear of gates, reminders, break-glass and ends.'),
  })
  .superRefine(({ rules }, context) => {
    rules.forEach(({ deadlineSeconds, reminderSeconds }, index) => {
      if (deadlineSeconds === undefined || reminderSeconds === undefined) return;
      if (reminderSeconds < deadlineSeconds) return;
      context.addIssue({
        code: 'custom',
        path: ['rules', index, 'reminderSeconds'],
        message: 'must be less than deadlineSeconds: a reminder comes that long before the deadline',
      });
    });
  }, besideFaults('rules'));

/** How much is at stake. */
export type Risk = 'normal' | 'high';
