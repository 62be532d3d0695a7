import type { ClusterClient } from './cluster-client.ts';
import { z } from 'zod';
import { waitFor } from './wait.ts';

const nodeSchema = z.object({
  spec: z.object({ taints: z.array(z.object({ key: z.string() })).default([]) }),
  status: z.object({
    conditions: z
      .array(z.object({ type: z.string(), status: z.string(), message: z.string().default('') }))
      .default([]),
  }),
});

/**
 * Waits until the node takes pods: Ready, and no longer tainted by the controllers.
 * Ends at once when a server of the stack dies.
 */
export async function untilNodeReady(
  client: ClusterClient,
  nodeName: string,
  signal: AbortSignal,
): Promise<void> {
  await waitFor(
    async () => {
      const { spec, status } = nodeSchema.parse(await client.get(`/api/v1/nodes/${nodeName}`));
      const ready = status.conditions.find(({ type }) => type === 'Ready');
      if (ready?.status !== 'True') throw new Error(ready?.message ?? 'it has no condition Ready yet');
      const taint = spec.taints[0];
      if (taint !== undefined) throw new Error(`it has the taint ${taint.key}`);
      return true;
    },
    { what: `the node ${nodeName} to be ready`, timeoutMilliseconds: 60_000, signal },
  );
}
