/** The queue that people type in the Temporal UI. One worker serves workflows and activities on it. */
export const taskQueue = 'runbooks';

/** Field manager of every write, and prefix of every annotation and label of ours. */
export const fieldManager = 'runbook';

/** Written with every change: which run and step wrote last. A late attempt of another step recognises itself by it. */
export const changeAnnotation = 'runbook/change';

/** On ConfigMaps and Secrets that a run keeps as copies of former ones; backups leave them out. */
export const copyLabel = 'runbook/copy';

/** One deployment name for every worker, recorded in every history. */
export const deploymentName = 'runbooks';

/** Namespace in every target's cluster where the locks of targets lie; `runbook setup` makes it. */
export const lockNamespace = 'runbooks';

/** On the namespace of a drill; its value is the target. */
export const drillLabel = 'runbook/drill';

/** On the namespace of a drill: whose it is. */
export const drillAnnotations = {
  workflowId: 'runbook/drill-workflow',
  firstRunId: 'runbook/drill-run',
  startedAt: 'runbook/drill-started',
  temporal: 'runbook/drill-temporal',
} as const;
