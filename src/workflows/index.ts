/** What the worker registers; one export per procedure, plus the detached upload of reports. */
export { rollingUpdate } from './rolling-update.ts';
export { uploadEvidence } from './run/evidence.ts';
export { unknownProcedure as default } from './unknown-procedure.ts';
