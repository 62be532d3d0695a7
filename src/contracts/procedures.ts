import type { z } from 'zod';
import { backupExample, backupRequestSchema, backupSteps } from './backup.ts';
import { drillExample, drillRequestSchema, drillSteps } from './drill-disaster-recovery.ts';
import { recoverExample, recoverRequestSchema, recoverSteps } from './recover.ts';
import { pruneBackupsExample, pruneBackupsRequestSchema, pruneBackupsSteps } from './prune-backups.ts';
import {
  restartWorkloadExample,
  restartWorkloadRequestSchema,
  restartWorkloadSteps,
} from './restart-workload.ts';
import { rollbackExample, rollbackRequestSchema, rollbackSteps } from './rollback.ts';
import { rollingUpdateExample, rollingUpdateRequestSchema, rollingUpdateSteps } from './rolling-update.ts';
import { verifyBackupExample, verifyBackupRequestSchema, verifyBackupSteps } from './verify-backup.ts';

/** One procedure, as the command line and the documentation list it. */
export interface Procedure {
  /** Name on the command line and of its page. */
  name: string;
  /** Type that people enter in the Temporal UI. */
  workflowType: string;
  kind: 'changing' | 'reading' | 'storage' | 'orchestrates';
  summary: string;
  page: string;
  steps: string[];
  /** Of its input. */
  schema: z.ZodType;
  example: unknown;
}

/** Every procedure there is. */
export const procedures: readonly Procedure[] = [
  {
    name: 'rolling-update',
    workflowType: 'rollingUpdate',
    kind: 'changing',
    summary: 'Roll out new images for a Deployment, prove its health, undo a bad release',
    page: 'docs/runbooks/rolling-update.md',
    steps: Object.values(rollingUpdateSteps),
    schema: rollingUpdateRequestSchema,
    example: rollingUpdateExample,
  },
  {
    name: 'rollback',
    workflowType: 'rollback',
    kind: 'changing',
    summary: 'Go back to an earlier revision of a Deployment; a repair',
    page: 'docs/runbooks/rollback.md',
    steps: Object.values(rollbackSteps),
    schema: rollbackRequestSchema,
    example: rollbackExample,
  },
  {
    name: 'restart-workload',
    workflowType: 'restartWorkload',
    kind: 'changing',
    summary: 'New pods for Deployments, wave after wave, with a proof between them; a repair',
    page: 'docs/runbooks/restart-workload.md',
    steps: Object.values(restartWorkloadSteps),
    schema: restartWorkloadRequestSchema,
    example: restartWorkloadExample,
  },
  {
    name: 'backup',
    workflowType: 'backup',
    kind: 'storage',
    summary: 'Store every object of the namespace and what it needs, encrypted and signed',
    page: 'docs/runbooks/backup.md',
    steps: Object.values(backupSteps),
    schema: backupRequestSchema,
    example: backupExample,
  },
  {
    name: 'verify-backup',
    workflowType: 'verifyBackup',
    kind: 'storage',
    summary: 'Read a backup back as a whole, and say whether it can be restored',
    page: 'docs/runbooks/verify-backup.md',
    steps: Object.values(verifyBackupSteps),
    schema: verifyBackupRequestSchema,
    example: verifyBackupExample,
  },
  {
    name: 'recover',
    workflowType: 'recover',
    kind: 'changing',
    summary: 'Restore objects from a verified backup, into the same or another namespace; a repair',
    page: 'docs/runbooks/recover.md',
    steps: Object.values(recoverSteps),
    schema: recoverRequestSchema,
    example: recoverExample,
  },
  {
    name: 'drill-disaster-recovery',
    workflowType: 'drillDisasterRecovery',
    kind: 'storage',
    summary: 'Restore the newest verified backup beside the service, prove and time it, take it away again',
    page: 'docs/runbooks/drill-disaster-recovery.md',
    steps: Object.values(drillSteps),
    schema: drillRequestSchema,
    example: drillExample,
  },
  {
    name: 'prune-backups',
    workflowType: 'pruneBackups',
    kind: 'storage',
    summary: 'Remove backups that no rule keeps any more, and what was never finished',
    page: 'docs/runbooks/prune-backups.md',
    steps: Object.values(pruneBackupsSteps),
    schema: pruneBackupsRequestSchema,
    example: pruneBackupsExample,
  },
];
