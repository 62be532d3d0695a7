import { ParentClosePolicy, startChild, workflowInfo } from '@temporalio/workflow';
import type { Evidence, RunRecord } from '../../contracts/run.ts';
import { clipped, store, storeEventually } from '../activity-options.ts';

/**
 * Stores the report. When storage does not answer the run is not held up: a detached child
 * workflow goes on trying, and the report stands in the run's result meanwhile.
 */
export async function storeEvidence(record: RunRecord): Promise<Evidence> {
  try {
    return await store('Store the report').storeReport(record);
  } catch {
    return await storeLater(record);
  }
}

async function storeLater(record: RunRecord): Promise<Evidence> {
  const { workflowId, firstRunId } = record.run;
  try {
    await startChild(uploadEvidence, {
      args: [record],
      workflowId: `evidence/${firstRunId}/${workflowInfo().runId}`,
      parentClosePolicy: ParentClosePolicy.ABANDON,
      staticSummary: clipped(`Store the report of ${workflowId}`),
    });
    return { state: 'pending', note: 'object storage did not answer; the report is uploaded when it does' };
  } catch {
    return {
      state: 'pending',
      note: 'object storage did not answer; the report is only in the result of this run',
    };
  }
}

/** Uploads one report that could not be stored when its run ended. Started by the run itself, never by hand. */
export async function uploadEvidence(record: RunRecord): Promise<Evidence> {
  return await storeEventually('Store the report when storage answers').storeReport(record);
}
