import { z } from 'zod';
import { objectName } from './kubernetes-names.ts';

const seconds = (most: number) => z.number().int().min(0).max(most);

const quantity = (example: string) =>
  z.string().regex(/^[1-9][0-9]{0,9}(m|Ki|Mi|Gi|Ti|k|M|G|T)?$/, `must be a quantity such as ${example}`);

const kindName = z
  .string()
  .max(320)
  .regex(
    /^[A-Z][A-Za-z0-9]{0,62}\.[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/,
    'must be a kind such as Widget.example.org',
  );

/** Section `drill` of a target profile. */
export const drillPolicySchema = z.strictObject({
  allowEmptyClaims: z
    .boolean()
    .default(false)
    .describe('true: workloads with volume claims are drilled, on new and empty volumes.'),
  rtoSeconds: seconds(86_400)
    .min(1)
    .default(900)
    .describe('How long a restore may take, from its start until the service is proven.'),
  probes: z
    .boolean()
    .default(true)
    .describe(
      'false: the pods of the drill are not asked for their health, for a service that cannot run without others.',
    ),
  customResources: z
    .array(kindName)
    .max(100)
    .default([])
    .describe('Custom resources that are drilled; an operator acts on each, so by default none is.'),
  pullSecrets: z
    .enum(['empty', 'keep'])
    .default('empty')
    .describe(
      'empty: credentials of registries are left out as all others are, so images have to be public or on the nodes. keep: they are copied into the drill.',
    ),
  dummies: z
    .record(
      objectName,
      z.record(
        z.string().regex(/^[-._a-zA-Z0-9]{1,253}$/, 'must be a key of a Secret'),
        z
          .string()
          .max(16_384)
          .regex(/^[\t\n\x20-\x7e]*$/, 'must be plain ASCII text'),
      ),
    )
    .default({})
    .describe(
      'By Secret and key: what stands for a value in a drill, where the service has to read it, such as a file of made-up credentials. Without one: drill.',
    ),
  quota: z
    .strictObject({
      pods: z.number().int().min(1).max(10_000).default(50),
      cpu: quantity('8 or 500m').default('8'),
      memory: quantity('16Gi').default('16Gi'),
      claims: z.number().int().min(0).max(1000).default(20),
    })
    .prefault({})
    .describe('What the namespace of a drill may ask for, all its pods together.'),
});

export type DrillPolicy = z.infer<typeof drillPolicySchema>;

/** The section as it counts when the profile has none. */
export function drillPolicyOf(profile: { drill?: DrillPolicy | undefined }): DrillPolicy {
  return profile.drill ?? drillPolicySchema.parse({});
}
