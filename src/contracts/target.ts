import { z } from 'zod';
import { backupPolicySchema } from './backup-policy.ts';
import { besideFaults } from './beside-faults.ts';
import { drillPolicySchema } from './drill-policy.ts';
import { dnsLabel, objectName } from './kubernetes-names.ts';
import { approvalsSchema, approversSchema } from './policy.ts';
import { scheduleSchema } from './schedules.ts';

const seconds = (most: number) => z.number().int().min(0).max(most);

/** What each way to reach a pod cannot do without. */
const neededFor = { 'port-forward': 'port', 'pod-address': 'port', exec: 'command', url: 'url' } as const;

const healthProbe = z
  .strictObject({
    via: z
      .enum(['port-forward', 'pod-address', 'exec', 'url'])
      .describe(
        'How the worker reaches a pod. port-forward: through the API server. pod-address: directly, from inside the cluster. exec: a command inside the container. url: one address for the whole service, which cannot tell pods apart.',
      ),
    path: z.string().regex(/^\/(?!\/)[A-Za-z0-9/_.~-]*$/, 'must be a plain path such as /health'),
    port: z
      .number()
      .int()
      .min(1)
      .max(65535)
      .optional()
      .describe('Port of the container, with port-forward and pod-address.'),
    url: z
      .string()
      .max(500)
      .regex(
        /^https?:\/\/[^\s/@?#]+\/?$/,
        'must be http or https, host and port only: the path has its own field, credentials have none',
      )
      .optional()
      .describe('Base address, with via: url.'),
    command: z
      .array(z.string().min(1).max(500))
      .min(1)
      .max(20)
      .optional()
      .describe(
        'With via: exec. Runs in the container without a shell; exit code 0 counts as status 200, its output as the body.',
      ),
    expectStatus: z.number().int().min(100).max(599).default(200),
    expectBody: z
      .record(
        z.string(),
        z.union([z.string(), z.number(), z.boolean()], 'must be text, a number, or true or false'),
      )
      .default({})
      .describe('Fields that the JSON answer must have, with these values.'),
    timeoutSeconds: seconds(60).min(1).default(3),
  })
  .superRefine((probe, context) => {
    const needed = neededFor[probe.via];
    if (probe[needed] === undefined)
      context.addIssue({ code: 'custom', path: [needed], message: `is needed with via: ${probe.via}` });
  }, besideFaults('via'))
  // The same rule for editors, which know the JSON Schema only.
  .meta({
    description: 'Proves that one pod serves.',
    allOf: Object.entries(neededFor).map(([via, needed]) => ({
      if: { properties: { via: { const: via } }, required: ['via'] },
      then: { required: [needed] },
    })),
  });

const workload = z.strictObject({
  kind: z
    .enum(['Deployment', 'StatefulSet', 'DaemonSet'])
    .describe('Each procedure says which kinds it supports and refuses the others by name.'),
  container: dnsLabel.describe('The container that a request means when it names none.'),
  health: healthProbe
    .optional()
    .describe("Proves that a pod of this workload serves, instead of the target's."),
});

/** A target profile: describes one service in one namespace of one cluster. Loaded from `<name>.yaml`. */
export const targetProfileSchema = z
  .strictObject({
    target: dnsLabel.describe('The name that requests use; the same as the file name.'),
    description: z.string().max(500).optional(),
    cluster: z
      .strictObject({ context: z.string().min(1).max(253) })
      .optional()
      .describe(
        'Context of the kubeconfig; without it the current context, or the cluster the worker runs in.',
      ),
    namespace: dnsLabel,
    workload: objectName.describe('The workload that a request means when it names none.'),
    workloads: z.record(objectName, workload).describe('Every workload that procedures may change, by name.'),
    health: healthProbe,
    rollout: z
      .strictObject({
        startupAllowanceSeconds: seconds(3600)
          .default(30)
          .describe(
            'Added to what the readiness probe allows before a pod that is not ready counts as failed.',
          ),
        unschedulableAfterSeconds: seconds(3600)
          .default(30)
          .describe(
            'How long a new pod may wait to be created and for a node; covers old pods that still terminate.',
          ),
      })
      .prefault({}),
    proof: z
      .strictObject({
        bakeSeconds: seconds(86400).default(60).describe('How long every new pod must answer well.'),
        intervalSeconds: seconds(600).min(1).default(5),
      })
      .prefault({}),
    gate: z
      .strictObject({
        deadlineSeconds: seconds(30 * 86400)
          .min(1)
          .default(4 * 3600)
          .describe('Silence until then is a no.'),
        reminderSeconds: seconds(30 * 86400)
          .min(1)
          .default(900)
          .describe('How long before the deadline people are reminded; a deadline that is shorter has none.'),
      })
      .prefault({}),
    approvers: approversSchema
      .default({})
      .describe('Who may decide. Without anyone, one decision of whoever gives a name is enough.'),
    approvals: approvalsSchema.prefault({}),
    backup: backupPolicySchema
      .optional()
      .describe('How the target is backed up; without it there are no backups.'),
    drill: drillPolicySchema.optional().describe('How recovery is drilled; without it with the defaults.'),
    schedules: z
      .record(dnsLabel, scheduleSchema)
      .optional()
      .describe('Procedures that run by themselves, by name.'),
    lock: z
      .strictObject({
        waitSeconds: seconds(3600)
          .default(60)
          .describe('How long an approved run waits for a target that another run holds.'),
        preemptSeconds: seconds(7200)
          .default(1200)
          .describe('How long an emergency run waits until the run that it aborted has undone its change.'),
        pauseSeconds: seconds(86400)
          .default(1800)
          .describe('How long a run that holds the target may be paused; then it undoes its change.'),
      })
      .prefault({}),
    heartbeatSeconds: seconds(15)
      .min(1)
      .default(15)
      .describe('After this silence of a worker its work goes to another one.'),
    gitOps: z
      .enum(['stop', 'ignore'])
      .default('stop')
      .describe(
        'stop: a workload that a GitOps controller owns is not changed, and a recovery leaves such objects: the change would be reverted.',
      ),
  })
  .superRefine(
    (profile, context) => {
      const names = Object.keys(profile.workloads);
      if (names.includes(profile.workload)) return;
      context.addIssue({
        code: 'custom',
        path: ['workload'],
        message: `is not one of workloads: ${names.slice(0, 10).join(', ') || 'none'}`,
      });
    },
    besideFaults('workload', 'workloads'),
  );

export type TargetProfile = z.infer<typeof targetProfileSchema>;

/** A target as one run sees it: the profile's content when it was read, and the digest of that content. */
export interface Target {
  profile: TargetProfile;
  /** SHA-256 of the profile's canonical form, hexadecimal. */
  digest: string;
}
