import { ParentClosePolicy, startChild, workflowInfo } from '@temporalio/workflow';
import type { Evidence, RunRecord } from '../../contracts/run.ts';
import { clipped, sealEventually, store, storeEventually } from '../activity-options.ts';
import type { Unwritten } from './audit-trail.ts';

/**
 * Stores the report. When storage does not answer the run is not held up: a detached child
 * workflow goes on trying, and the report stands in the run's result meanwhile.
 */
export async function storeEvidence(record: RunRecord, unwritten: Unwritten | undefined): Promise<Evidence> {
  try {
    const evidence = await store('Store the report').storeReport(record);
    if (unwritten !== undefined) await storeLater(record, unwritten);
    return evidence;
  } catch {
    return await storeLater(record, unwritten);
  }
}

async function storeLater(record: RunRecord, unwritten: Unwritten | undefined): Promise<Evidence> {
  const { workflowId, firstRunId } = record.run;
  try {
    await startChild(uploadEvidence, {
      args: [record, unwritten],
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

/**
 * Uploads one report, and what the audit log lacks, that could not be stored when their run ended. Started by the run
 * itself, never by hand.
 */
export async function uploadEvidence(record: RunRecord, unwritten: Unwritten | undefined): Promise<Evidence> {
  const evidence = await storeEventually('Store the report when storage answers').storeReport(record);
  if (unwritten !== undefined) await sealEventually('Complete the audit log').sealAudit(unwritten);
  return evidence;
}
