/** Identifies a run in Temporal. */
export interface RunRef {
  workflowId: string;
  /** Of the first run: stays the same through reset and continue-as-new. */
  firstRunId: string;
  procedure: string;
}
