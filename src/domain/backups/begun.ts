import { z } from 'zod';
import type { BackupBegun } from '../../contracts/backup-manifest.ts';

const text = z.string().min(1).max(1000);

const schema = z.object({
  run: z.object({ workflowId: text, firstRunId: text, procedure: text }),
  at: text,
  temporalNamespace: text,
  temporalCluster: text,
});

/** Reads `run.json`, which nobody has signed: it decides only whom to ask. Undefined: it is none. */
export function readBegun(json: string): BackupBegun | undefined {
  try {
    return schema.parse(JSON.parse(json));
  } catch {
    return undefined;
  }
}
