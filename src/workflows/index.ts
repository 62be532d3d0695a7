/** What the worker registers: one export per procedure, the detached upload of reports, and the answer to unknown types. */
export { backup } from './backup.ts';
export { drillDisasterRecovery } from './drill-disaster-recovery.ts';
export { recover } from './recover.ts';
export { pruneBackups } from './prune-backups.ts';
export { restartWorkload } from './restart-workload.ts';
export { rollback } from './rollback.ts';
export { rollingUpdate } from './rolling-update.ts';
export { verifyBackup } from './verify-backup.ts';
export { uploadEvidence } from './run/evidence.ts';
export { unknownProcedure as default } from './run/unknown-procedure.ts';
